"""The agent and a real node_exporter on the same files: those of the collectors' fixtures."""

import re
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.fixtures import FIXTURES, arguments_in, copy_fixture
from support.pages import Labels, Page, fetch_page, wait_until
from support.processes import Exporter, Launcher, found, free_port

#: Collectors that node_exporter does not have.
OURS: frozenset[str] = frozenset({"containers"})

#: Collectors that newer versions of node_exporter have; their own tests state the values.
NEWER: frozenset[str] = frozenset(
    {
        *("bcachefs", "cpu_vulnerabilities", "dmmultipath", "kernel_hung", "pcidevice"),
        *("softirqs", "swap", "watchdog", "xfrm"),
    }
)

#: Families that newer versions have, of collectors that node_exporter has.
NEWER_FAMILIES = {
    "node_cpu_scaling_governor",
    "node_mountstats_nfs_mountpoint_info",
    "node_mountstats_nfs_operations_errors_total",
    *(f"node_softnet_{name}" for name in ("backlog_len", "cpu_collision_total")),
    *(f"node_softnet_{name}_total" for name in ("flow_limit_count", "received_rps")),
}

#: Collectors whose values are of this very machine.
OF_THIS_MACHINE = {"filesystem", "selinux", "time", "timex", "uname"}

#: Families about node_exporter and the agent themselves.
_OWN = re.compile("node_(scrape_|exporter_)")


@cache
def of_node_exporter() -> frozenset[str]:
    """Return the names of the collectors that the installed node_exporter has."""
    command = [found("prometheus-node-exporter"), "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return frozenset(re.findall(r"--(?:\[no-\])?collector\.(\w+)\s", done.stdout + done.stderr))


def rows(page: Page, **labels: str) -> dict[str, dict[Labels, float]]:
    """Return the samples of each ``node_*`` family without empty labels."""
    names = {name for name, _ in page.samples if name.startswith("node_") and not _OWN.match(name)}
    return {
        name: {
            frozenset((label, text) for label, text in found if text): value
            for found, value in page.rows(name, **labels).items()
        }
        for name in names
        if page.rows(name, **labels)
    }


def metadata(page: Page, kind: str) -> dict[str, str]:
    """Return the HELP text, or the TYPE, of each ``node_*`` family."""
    return dict(re.findall(rf"^# {kind} (node_\w+) (.+)$", page.text, re.MULTILINE))


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    return start_once.exporter()


NAMES = sorted(path.name for path in FIXTURES.iterdir() if path.name not in OF_THIS_MACHINE)


@pytest.mark.parametrize("name", NAMES)
def test_families_and_values_are_those_of_node_exporter(
    name: str, exporter: Exporter, start: Launcher, tmp_path: Path
) -> None:
    if name not in of_node_exporter():
        assert name in OURS or name in NEWER, "node_exporter does not have it"
        return
    folder = tmp_path / "host"
    copy_fixture(name, folder)
    flags = [
        "--collector.disable-defaults",
        f"--collector.{name}",
        *arguments_in(name, folder),
        f"--path.procfs={folder}/proc",
        f"--path.sysfs={folder}/sys",
        f"--path.rootfs={folder}/root",
        f"--path.udev.data={folder / 'root'}/run/udev/data",
    ]
    theirs = of_their_own(start, flags)
    ours = of_agent(exporter, f"host of {name}", flags)
    expected, exposed = rows(theirs), rows(ours, instance=f"host of {name}")
    assert expected, "node_exporter makes nothing of the fixture"
    newer: dict[str, dict[Labels, float]] = {
        family: {} for family in NEWER_FAMILIES if family not in expected
    }
    assert {**exposed, **newer} == {**expected, **newer}
    for kind in ("TYPE", "HELP"):
        shown = metadata(ours, kind)
        wanted = {family: metadata(theirs, kind).get(family) for family in expected}
        assert {family: shown.get(family) for family in expected} == wanted


def of_their_own(start: Launcher, flags: list[str]) -> Page:
    """Return the exposition of node_exporter with these flags."""
    where = f"127.0.0.1:{free_port()}"
    start.program(found("prometheus-node-exporter"), f"--web.listen-address={where}", *flags)
    return wait_until(lambda: fetch_page(f"http://{where}/metrics"), bool, "node_exporter")


def of_agent(exporter: Exporter, name: str, flags: list[str]) -> Page:
    """Return the exposition of an exporter to which an agent with these flags has reported."""
    command = [sys.executable, "-m", "pombo_agent", "--once", "--format=json", f"--name={name}"]
    made = subprocess.run([*command, *flags], check=True, capture_output=True)
    datagrams = made.stdout.splitlines()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for datagram in datagrams:
            sending.sendto(datagram, ("127.0.0.1", exporter.port))
    received = "pombo_host_datagrams_received_total"
    return wait_until(
        exporter.page,
        lambda page: page.value(received, instance=name) == len(datagrams),
        "the agent's report",
    )
