"""Values of a real agent on this machine, compared with those of the kernel and of `df`."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.pages import Page, wait_until
from support.processes import Exporter, Launcher, found

NAME = "this host"
INTERVAL = 2  # seconds between reports: long enough for a copy to fit in between
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    exporter = start_once.exporter()
    start_once.agent(NAME, exporter, interval=f"{INTERVAL}s")
    wait_until(
        exporter.page,
        lambda exposition: (
            exposition.value("host_cpu_average_usage_ratio", instance=NAME) is not None
        ),
        "the agent's second report",
    )
    return exporter


class Kernel(NamedTuple):
    """Counters of the kernel: idle and total ticks of each core, bytes of each device."""

    cores: dict[str, tuple[float, float]]
    written: dict[str, int]
    received: dict[str, int]


def kernel() -> Kernel:
    """Read the counters."""
    cores = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            spent = [int(tick) for tick in ticks[:8]]
            cores[name.removeprefix("cpu")] = (float(spent[3] + spent[4]), float(sum(spent)))
    disks = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    networks = [line.split(":") for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    return Kernel(
        cores,
        {fields[2]: int(fields[9]) * 512 for fields in disks},
        {name.strip(): int(counts.split()[0]) for name, counts in networks},
    )


class Window(NamedTuple):
    """The time between two reports: the kernel's counters at both, and the exposition after it."""

    before: Kernel
    after: Kernel
    exposition: Page


def windows(exporter: Exporter, action: Callable[[], None], attempts: int = 6) -> Iterator[Window]:
    """Do something between two reports, again and again.

    Other work on this machine may disturb a window; the caller takes the first that agrees.
    """
    for _ in range(attempts):
        _next_report(exporter)
        before = kernel()
        worker = threading.Thread(target=action)
        worker.start()
        exposition = _next_report(exporter)
        after = kernel()
        in_time = not worker.is_alive()
        worker.join()
        if in_time:
            yield Window(before, after, exposition)


def _next_report(exporter: Exporter) -> Page:
    def last(exposition: Page) -> float | None:
        return exposition.value("pombo_host_last_report_timestamp_seconds", instance=NAME)

    seen = last(exporter.page())
    return wait_until(
        exporter.page, lambda exposition: last(exposition) != seen, "the agent's next report"
    )


def _usage(window: Window) -> tuple[dict[str, float], dict[str, float]]:
    """Return the usage of each core, by the agent and by the kernel."""
    rows = window.exposition.rows("host_cpu_usage_ratio", instance=NAME)
    reported = {dict(labels)["cpu"]: value for labels, value in rows.items()}
    counted = {}
    for core, (idle, total) in window.after.cores.items():
        idle_before, total_before = window.before.cores[core]
        counted[core] = 1 - (idle - idle_before) / (total - total_before)
    return reported, counted


def test_usage_of_each_core_is_that_of_the_kernel_while_one_is_busy(
    exporter: Exporter, start: Launcher
) -> None:
    core = str(max(os.sched_getaffinity(0)))
    burn = "import time; end = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    busy = start.program(sys.executable, "-c", burn)
    os.sched_setaffinity(busy.pid, {int(core)})
    tried = []
    for window in windows(exporter, lambda: None):
        reported, counted = _usage(window)
        assert reported.keys() == counted.keys()
        tried.append((reported, counted))
        if reported[core] >= 0.9 and all(
            abs(reported[name] - counted[name]) <= 0.1 for name in reported
        ):
            average = window.exposition.value("host_cpu_average_usage_ratio", instance=NAME)
            assert average == pytest.approx(sum(reported.values()) / len(reported), abs=0.1)
            return
    pytest.fail(f"core {core} is busy, yet reported and counted were {tried}")


def test_usage_of_each_core_is_that_of_the_kernel_once_it_is_idle_again(exporter: Exporter) -> None:
    tried = []
    for window in windows(exporter, lambda: None):
        reported, counted = _usage(window)
        tried.append((reported, counted))
        if all(abs(reported[name] - counted[name]) <= 0.1 for name in counted):
            return
    pytest.fail(f"reported and counted were {tried}")


def test_memory_is_that_of_the_kernel(exporter: Exporter) -> None:
    exposition = exporter.page()
    lines = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
    meminfo = {name.rstrip(":"): int(size) * 1024 for name, size, *_ in lines}
    total = meminfo["MemTotal"]
    assert exposition.value("host_memory_total_bytes", instance=NAME) == total
    assert exposition.value("host_swap_total_bytes", instance=NAME) == meminfo["SwapTotal"]
    for family, expected in (
        ("host_memory_free_bytes", meminfo["MemFree"]),
        ("host_memory_available_bytes", meminfo["MemAvailable"]),
        ("host_memory_used_bytes", total - meminfo["MemAvailable"]),
        ("host_swap_free_bytes", meminfo["SwapFree"]),
    ):
        assert exposition.value(family, instance=NAME) == pytest.approx(
            expected, abs=0.05 * total
        ), family


def test_filesystem_space_is_that_of_df(exporter: Exporter) -> None:
    exposition = exporter.page()
    sizes = exposition.rows("host_filesystem_size_bytes", instance=NAME)
    assert sizes
    for labels, size in sizes.items():
        known = dict(labels)
        command = [
            found("df"),
            "-B1",
            "--output=source,fstype,size,used,avail",
            known["mountpoint"],
        ]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        source, fstype, *numbers = shown.stdout.splitlines()[1].split()
        assert (known["device"], known["fstype"], size) == (source, fstype, int(numbers[0]))
        for column, expected in (("used", int(numbers[1])), ("available", int(numbers[2]))):
            reported = exposition.value(f"host_filesystem_{column}_bytes", instance=NAME, **known)
            assert reported == pytest.approx(expected, abs=0.02 * size), (column, known)


def test_the_disk_write_rate_is_that_of_a_known_copy(exporter: Exporter, tmp_path: Path) -> None:
    pieces, piece = 8, 8 * MEBIBYTE
    size = pieces * piece

    def copy() -> None:
        for number in range(pieces):
            subprocess.run(
                [
                    found("dd"),
                    "if=/dev/zero",
                    f"of={tmp_path / 'copy'}",
                    "bs=1M",
                    f"count={piece // MEBIBYTE}",
                    f"seek={number * piece // MEBIBYTE}",
                    "oflag=direct",
                    "conv=notrunc,fsync",
                    "status=none",
                ],
                check=True,
                timeout=30,
            )

    tried = []
    for window in windows(exporter, copy):
        grown = {
            name: count - window.before.written.get(name, 0)
            for name, count in window.after.written.items()
        }
        reported = {
            dict(labels)["device"]: rate * INTERVAL
            for labels, rate in window.exposition.rows(
                "host_disk_write_bytes_per_second", instance=NAME
            ).items()
        }
        disk = max(reported, key=lambda name: grown[name])
        tried.append((disk, reported[disk], grown[disk], size))
        if reported[disk] == pytest.approx(grown[disk], rel=0.1) == pytest.approx(size, rel=0.1):
            return
    pytest.fail(f"disk, bytes by its rate, by the kernel, and copied: {tried}")


def test_the_network_rate_is_that_of_a_known_transfer(exporter: Exporter) -> None:
    pieces, piece = 100, MEBIBYTE // 2
    size = pieces * piece
    tried = []
    for window in windows(exporter, lambda: _transfer(pieces, piece)):
        grown = window.after.received["lo"] - window.before.received["lo"]
        reported = [
            (window.exposition.value(name, instance=NAME, device="lo") or 0.0) * INTERVAL
            for name in (
                "host_network_receive_bytes_per_second",
                "host_network_transmit_bytes_per_second",
            )
        ]
        tried.append((reported, grown, size))
        if all(
            bytes_reported == pytest.approx(expected, rel=0.1)
            for bytes_reported in reported
            for expected in (grown, size)
        ):
            return
    pytest.fail(f"bytes by both rates, by the kernel, and transferred: {tried}")


def _transfer(pieces: int, piece: int) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as out,
        server.accept()[0] as into,
    ):
        for _ in range(pieces):
            pushing = threading.Thread(target=out.sendall, args=(bytes(piece),))
            pushing.start()
            left = piece
            while left:
                left -= len(into.recv(left))
            pushing.join()
