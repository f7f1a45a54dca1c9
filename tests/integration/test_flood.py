"""Floods stop at ``--limit.bytes``, and an exporter that is full serves the hosts that it has."""

import socket

import pytest
from pombo_wire import Memory
from support.pages import Page, fetch_page, wait_until
from support.processes import Exporter, Launcher
from support.senders import Sender

from bench.fleets.hostile import FLOODS

LIMIT = 24 * 2**20  # bytes

#: What requests leave in the exporter whatever hosts have reported, in bytes.
REQUESTS = 12 * 2**20

#: The most hosts of a flood, below ``--limit.hosts``, and how many send before the next look.
HOSTS, BATCH = 9000, 50

pytestmark = pytest.mark.slow


def own(exporter: Exporter) -> Page:
    """Return the exporter's own samples, without those of hosts."""
    return fetch_page(f"http://{exporter.target}/exporter/metrics")


def value(page: Page, name: str, **labels: str) -> float:
    found = page.value(name, **labels)
    assert found is not None, name
    return found


def refused(page: Page) -> int:
    return int(value(page, "pombo_exporter_datagrams_refused_total", reason="bytes_limit"))


def wait_for(exporter: Exporter, datagrams: int) -> Page:
    return wait_until(
        lambda: own(exporter),
        lambda page: value(page, "pombo_exporter_datagrams_received_total") == datagrams,
        f"{datagrams} datagrams received",
    )


def flood(exporter: Exporter, name: str) -> int:
    """Send until datagrams are refused for the limit of bytes; return how many were."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", exporter.port))
        received = int(value(own(exporter), "pombo_exporter_datagrams_received_total"))
        for start in range(0, HOSTS, BATCH):
            for number in range(start, start + BATCH):
                for datagram in FLOODS[name](number):
                    sock.send(datagram)
                    received += 1
            if refused(wait_for(exporter, received)):
                break
    return refused(own(exporter))


@pytest.mark.parametrize("name", FLOODS)
def test_flood_is_refused_within_the_limit_and_honest_hosts_go_on(
    name: str, start: Launcher
) -> None:
    exporter = start.exporter(f"--limit.bytes={LIMIT}")
    with Sender("honest", exporter.port) as honest:
        honest.report(1.0, ("memory", Memory(total=1.0)))
        exporter.page()
        empty = exporter.resident_bytes
        count = flood(exporter, name)
        grown = exporter.resident_bytes - empty
        booked = value(own(exporter), "pombo_exporter_stored_bytes")
        assert booked <= LIMIT
        assert grown <= booked + REQUESTS
        assert count > 0
        exporter.page()
        # So the default of the limit leaves as much again for answers.
        assert exporter.most_resident_bytes - empty <= 2 * LIMIT + REQUESTS
        honest.report(2.0, ("memory", Memory(total=2.0)))
        wait_until(
            exporter.page,
            lambda page: page.value("host_memory_total_bytes", instance="honest") == 2,
            "the honest host's new value",
        )
