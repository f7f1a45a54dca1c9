"""The simulated hosts count what they report, and the network does what the sliders say."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from bench.harness.in_process import InProcessExporter
from demo.simulation.fleet import KEPT, Fleet
from demo.simulation.network import Conditions, Fate, Network, Way
from demo.simulation.template import INTERFACE, REPORTS

HOSTS = 20
INTERVAL = 5.0


def test_reports_are_those_of_a_small_machine_and_have_exactly_what_their_host_has_counted() -> (
    None
):
    fleet, exporter = Fleet(HOSTS, INTERVAL), InProcessExporter()
    sizes = []
    for report in range(1, 4):
        datagrams = [fleet.report(host) for host in range(HOSTS)]
        sizes += [len(datagram) for datagram in datagrams]
        exporter.take(datagrams, report)
        text = b"".join(exporter.exposition(report)).decode()
        for number, name in enumerate(f"vm-{host:05}.example.net" for host in range(HOSTS)):
            assert fleet.number(name) == number
            labels = f'device="{INTERFACE}",instance="{name}"'
            totals = [
                value_of(text, f"node_network_{way}_bytes_total{{{labels}}}")
                for way in ("receive", "transmit")
            ]
            assert totals == fleet.totals(number, report)
            assert value_of(text, f'{REPORTS}{{instance="{name}"}}') == report
    assert exporter.refused == 0
    assert exporter.samples(3, b"node_") > 400 * HOSTS
    assert min(sizes) > 900
    assert max(sizes) <= 1200


def value_of(text: str, sample: str) -> int:
    [found] = re.findall(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return int(found)


def test_totals_are_kept_for_some_minutes_and_compared_for_all_hosts_at_once() -> None:
    fleet = Fleet(2, INTERVAL)
    for _ in range(KEPT + 1):
        fleet.report(0)
    fleet.report(1)
    assert fleet.totals(0, 1) is None
    assert fleet.totals(0, KEPT + 2) is None
    names, reports = ["vm-00000.example.net", "vm-00001.example.net"], [KEPT, 1]
    first, second = fleet.totals(0, KEPT), fleet.totals(1, 1)
    assert first is not None
    assert second is not None
    assert first < (fleet.totals(0, KEPT + 1) or [])
    assert fleet.equal(names, reports, [first, second]) == 4
    assert fleet.equal(names, reports, [first, [second[0], second[1] + 1]]) == 3
    assert fleet.equal(names, [KEPT + 1, 1], [first, second]) == 2
    assert fleet.equal(names, [1, 1], [first, second]) == 2  # the first is not kept


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        yield sock


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0)
        yield sock


def received(sock: socket.socket) -> list[int]:
    found = []
    while True:
        try:
            found.append(int(sock.recv(100)))
        except BlockingIOError:
            return found


def carried(network: Network, receiver: socket.socket, count: int) -> tuple[list[Fate], list[int]]:
    """Return the fates of datagrams with the numbers from 0 on, and the numbers that arrive."""
    [way] = network.ways
    fates, arrived = [], []
    for number in range(count):
        now = number * INTERVAL
        network.deliver(now)
        fates.append(network.carry(way, str(number).encode(), now))
        arrived += received(receiver)
    network.deliver((count + 2) * INTERVAL)
    return fates, arrived + received(receiver)


NetworkOf = Callable[[Conditions], Network]


@pytest.fixture
def network_of(sender: socket.socket, receiver: socket.socket) -> NetworkOf:
    way = Way(receiver.getsockname())
    return lambda conditions: Network(sender, [way], INTERVAL, conditions)


def test_all_datagrams_arrive_in_order_unless_something_else_is_wanted(
    network_of: NetworkOf, receiver: socket.socket
) -> None:
    network = network_of(Conditions())
    fates, arrived = carried(network, receiver, 500)
    assert {*fates} == {Fate.ARRIVED}
    assert arrived == [*range(500)]


def test_network_counts_what_it_loses_doubles_and_delays(
    network_of: NetworkOf, receiver: socket.socket
) -> None:
    network = network_of(Conditions(lost=0.5, doubled=0.2, delayed=0.2))
    fates, arrived = carried(network, receiver, 4000)
    [way] = network.ways
    assert way.sent == 4000
    assert way.lost == fates.count(Fate.LOST)
    assert len(arrived) == way.sent - way.lost + way.doubled
    assert {*arrived} == {number for number, fate in enumerate(fates) if fate is not Fate.LOST}
    # By chance, one of a thousand million such networks is beyond.
    assert 1800 < way.lost < 2200
    assert 270 < way.doubled < 530
    assert 300 < way.delayed < 660


def test_datagram_that_is_delayed_arrives_after_the_next_one(
    network_of: NetworkOf, receiver: socket.socket
) -> None:
    network = network_of(Conditions(delayed=1))
    [way] = network.ways
    assert network.carry(way, b"0", 0) is Fate.DELAYED
    network.conditions = Conditions()
    network.deliver(INTERVAL - 0.1)
    assert network.carry(way, b"1", INTERVAL) is Fate.ARRIVED
    network.deliver(1.5 * INTERVAL)
    assert received(receiver) == [1, 0]


def test_fate_says_when_the_exporter_was_killed(network_of: NetworkOf) -> None:
    network = network_of(Conditions())
    [way] = network.ways
    way.is_heard = False
    assert network.carry(way, b"0", 0) is Fate.UNHEARD


def test_killed_exporter_never_gets_what_was_on_its_way(
    network_of: NetworkOf, receiver: socket.socket
) -> None:
    network = network_of(Conditions(delayed=1))
    [way] = network.ways
    network.carry(way, b"0", 0, (7, 1))
    assert network.close(way) == {(7, 1)}
    way.is_heard = True
    network.deliver(2 * INTERVAL)
    assert network.next_due is None
    assert received(receiver) == []
