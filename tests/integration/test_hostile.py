"""Datagrams that are no valid report are refused and counted, and have no other effect."""

import itertools
import random
import subprocess
import zlib
from collections import Counter
from pathlib import Path

import pytest
from pombo_wire import Report, encode
from pombo_wire.packing import pack
from pombo_wire.sealing import SEALED
from support.pages import Page, wait_until
from support.processes import Exporter, Launcher, complaints, found
from support.senders import HOSTILE_NAMES, MEMORY_BYTES, Sender, steady

MEBIBYTE = 2**20

PACKED = pack(Report("a", gauges={"x": 1.0}))


def bomb() -> bytes:
    """Return a packed datagram that inflates to a mebibyte."""
    stream = zlib.compressobj(wbits=-15)
    return b"\xb0\x01" + stream.compress(b" " * MEBIBYTE) + stream.flush()


#: Datagrams that no agent sends, and the reason for which each is refused.
GARBAGE = (
    ("unknown_form", b""),
    ("unknown_form", b"\xff" * 40),
    ("unknown_form", b"[" * 1000),
    ("unknown_form", b"null"),
    ("unknown_dictionary", b"\xb0\xff"),
    ("not_deflate", b"\xb0\x01" + b"\xff" * 40),
    ("not_deflate", PACKED[:-1]),
    ("not_deflate", PACKED + b"x"),
    ("too_large", bomb()),
    ("not_json", b'{"host":"cut","gauges":{"temper'),
    ("not_json", b'{"host":"a","gauges":{"x":NaN}}'),
    ("not_json", b'{"host":"a","gauges":{"x":Infinity}}'),
    ("not_json", b'{"host":"\xed\xa0\x80"}'),
    ("not_json", b'{"host":"a"} {"host":"b"}'),
    ("not_json", b'{"host":"a","gauges":{"x":1e999}}'),
    ("not_json", b'{"host":"a","memory":{"total":' + b"9" * 400 + b"}}"),
    ("invalid_field", b'{"host":"a","memory":{"total":-1}}'),
    ("invalid_field", b'{"host":"a","memory":{"total":"much"}}'),
    ("invalid_field", b'{"host":"a","session":1e300,"seq":0}'),
    ("invalid_field", b'{"host":"a","cpu":{"cpu":"0","user":[1]}}'),
    ("invalid_field", b'{"host":"a","interval":0}'),
    ("invalid_field", b'{"host":5}'),
    ("invalid_field", b'{"host":""}'),
    ("invalid_field", b'{"host":"' + b"h" * 256 + b'"}'),
    ("invalid_field", b'{"host":"a","labels":{"rack":"' + b"r" * 256 + b'"}}'),
    ("invalid_field", b'{"host":"a","gauges":{"not a name":1}}'),
    ("invalid_field", b'{"host":"a","gauges":{"x{y=\\"1\\"}":1}}'),
    ("unequal_columns", b'{"host":"a","cpu":{"cpu":["0"],"user":[1,2]}}'),
    ("repeated_row", b'{"host":"a","cpu":{"cpu":["0","0"],"user":[1,2]}}'),
    ("reserved_name", b'{"host":"a","gauges":{"up":1}}'),
    ("reserved_name", b'{"host":"a","gauges":{"host_memory_total_bytes":1}}'),
    ("reserved_name", b'{"host":"a","labels":{"instance":"b"}}'),
    ("too_large", b'{"host":"' + b"l" * 1300 + b'"}'),
    ("too_large", b"x" * 65_507),
)


def refused(exposition: Page) -> dict[str, int]:
    """Return the number of refused datagrams by reason, without zeros."""
    rows = exposition.rows("pombo_exporter_datagrams_refused_total")
    return {dict(labels)["reason"]: int(count) for labels, count in rows.items() if count}


def wait_for_datagrams(exporter: Exporter, count: int) -> Page:
    return wait_until(
        exporter.page,
        lambda exposition: exposition.value("pombo_exporter_datagrams_received_total") == count,
        f"{count} datagrams received",
    )


@pytest.fixture(scope="module")
def shared(start_once: Launcher) -> Exporter:
    """Return an exporter for tests that compare its counters before and after."""
    return start_once.exporter()


def test_one_line_of_shell_sends_a_report(start: Launcher) -> None:
    exporter = start.exporter()
    report = '{"host":"pi","gauges":{"room_temperature_celsius":21.5}}'
    for option in ("-w1", "-q0"):
        line = f"echo '{report}' | {found('nc')} -u {option} 127.0.0.1 {exporter.port}"
        subprocess.run(["/bin/sh", "-c", line], check=True, timeout=15)
    exposition = wait_for_datagrams(exporter, 2)
    assert '\nroom_temperature_celsius{instance="pi"} 21.5\n' in exposition.text
    assert exposition.value("pombo_host_up", instance="pi") == 1
    assert complaints(exposition.text) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("up", "reserved_name"),
        ("host_cpu_usage_ratio", "reserved_name"),
        ("node_load1", "reserved_name"),
        ("pombo_host_up", "reserved_name"),
        ("process_cpu_seconds_total", "reserved_name"),
        ("room temperature", "invalid_field"),
        ("1st_room_celsius", "invalid_field"),
        ("raum_wärme_celsius", "invalid_field"),
        ("", "invalid_field"),
    ],
)
def test_gauge_with_a_reserved_or_invalid_name_is_refused_and_counted(
    shared: Exporter, name: str, reason: str
) -> None:
    before = shared.page()
    sent = shared.counted("pombo_exporter_datagrams_received_total")
    with Sender("pi", shared.port) as sender:
        sender.raw(encode(Report(host="pi", gauges={name: 21.5})))
    exposition = wait_for_datagrams(shared, sent + 1)
    assert Counter(refused(exposition)) - Counter(refused(before)) == {reason: 1}
    assert exposition.names(instance="pi") == set()


class Flood:
    """Sends datagrams no faster than the exporter receives them."""

    def __init__(self, exporter: Exporter, sender: Sender) -> None:
        self._row = f"0100007F:{exporter.port:04X}"  # 127.0.0.1, as /proc/net/udp writes it
        self._sender = sender
        self.sent = Counter[str]()

    def send(self, garbage: tuple[str, bytes]) -> None:
        """Send a datagram, and count the reason for which it must be refused."""
        reason, datagram = garbage
        self._sender.raw(datagram)
        self.sent[reason] += 1
        if self.sent.total() % 50 == 0:
            wait_until(
                self._queued, lambda queued: queued == 0, "the exporter to keep up", every=0.001
            )

    def _queued(self) -> int:
        for line in Path("/proc/net/udp").read_text().splitlines():
            fields = line.split()
            if fields[1] == self._row:
                return int(fields[4].split(":")[1], 16)
        pytest.fail(f"/proc/net/udp does not show {self._row}")


def test_flood_of_garbage_is_counted_by_reason_and_costs_neither_memory_nor_log(
    start: Launcher,
) -> None:
    exporter = start.exporter()
    rng = random.Random(42)

    def noise() -> tuple[str, bytes]:
        first = rng.randrange(128, 256)
        if first == PACKED[0]:
            first = SEALED
        # What is as long as a sealed datagram may be is of a key that the exporter does not have.
        reason = "unknown_key" if first == SEALED else "unknown_form"
        return reason, bytes([first]) + rng.randbytes(rng.randrange(600))

    with Sender("good", exporter.port) as sender:
        numbers = sender.report(1, *steady(1))
        flood = Flood(exporter, sender)

        def send(count: int) -> Page:
            for garbage in itertools.islice(itertools.cycle(GARBAGE), count):
                flood.send(garbage)
                flood.send(noise())
            return wait_for_datagrams(exporter, flood.sent.total() + len(numbers))

        send(10_000)
        warm = exporter.resident_bytes
        exposition = send(40_000)
        grown = exporter.resident_bytes - warm
    assert flood.sent.total() == 100_000
    assert refused(exposition) == flood.sent
    assert exposition.value("pombo_exporter_kernel_drops_total") == 0
    assert grown < 4 * MEBIBYTE
    assert len(exporter.log.splitlines()) < 50
    assert exposition.value("host_memory_total_bytes", instance="good") == MEMORY_BYTES
    assert exposition.rows("pombo_host_up").keys() == {frozenset({("instance", "good")})}
    assert complaints(exposition.text) == ""


def test_exposition_is_valid_with_hosts_of_any_name(start: Launcher) -> None:
    exporter = start.exporter()
    for name in HOSTILE_NAMES:
        with Sender(name, exporter.port) as sender:
            sender.report(1, *steady(1), ("gauges", {"room_temperature_celsius": 21.5}))
    exposition = wait_until(
        exporter.page,
        lambda exposition: len(exposition.rows("pombo_host_up")) == len(HOSTILE_NAMES),
        "a host for each name",
    )
    for name in HOSTILE_NAMES:
        assert exposition.value("host_memory_total_bytes", instance=name) == MEMORY_BYTES
    assert complaints(exposition.text) == ""


def test_hosts_beyond_the_limit_are_refused_and_the_others_are_updated(start: Launcher) -> None:
    exporter = start.exporter("--limit.hosts=3")
    senders = {name: Sender(name, exporter.port) for name in ("a", "b", "c", "d", "e")}
    for moment in (1, 2):
        for sender in senders.values():
            sender.report(moment, ("gauges", {"moment_seconds": moment}))
    exposition = wait_for_datagrams(exporter, 10)
    exposed = exposition.rows("moment_seconds")
    assert exposed == {frozenset({("instance", name)}): 2 for name in ("a", "b", "c")}
    assert refused(exposition) == {"host_limit": 4}
    assert exposition.names(instance="d") == set()
    assert exposition.value("pombo_exporter_limits", limit="hosts") == 3
    for sender in senders.values():
        with sender:
            pass


def test_report_beyond_the_series_limit_is_refused_and_others_are_accepted(
    start: Launcher,
) -> None:
    exporter = start.exporter("--limit.series-per-host=30")

    def gauges(count: int, value: float) -> dict[str, float]:
        return {f"room{number}_celsius": value for number in range(count)}

    with Sender("greedy", exporter.port) as greedy, Sender("modest", exporter.port) as modest:
        greedy.report(1, ("gauges", gauges(30, 20)))
        greedy.report(2, ("gauges", gauges(30, 23)))
        greedy.report(3, ("gauges", gauges(31, 21)))
        modest.report(1, ("gauges", gauges(10, 22)))
        exposition = wait_for_datagrams(exporter, 4)
    assert refused(exposition) == {"series_limit": 1}
    assert exposition.measured("greedy") == set(gauges(30, 0))
    assert exposition.measured("modest") == set(gauges(10, 0))
    assert exposition.value("room0_celsius", instance="greedy") == 23
    assert exposition.value("room9_celsius", instance="modest") == 22
    assert exposition.value("pombo_host_up", instance="greedy") == 1
