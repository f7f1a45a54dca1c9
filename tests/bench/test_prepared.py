"""Prepared datagrams are those of the fleet, and a load sends them in order at its pace."""

import socket
from itertools import chain
from pathlib import Path
from threading import Thread

import pytest

from bench.harness.fleet import fleet, senders
from bench.harness.prepared import Datagrams, prepared, write
from bench.programs.load import send

HOSTS, REPORTS = 6, 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(senders(range(4), "few"), REPORTS, tmp_path, "0")
    write(senders(range(4, HOSTS), "few"), REPORTS, tmp_path, "1")
    return tmp_path


def test_datagrams_are_those_of_the_fleet_in_the_order_of_its_reports(folder: Path) -> None:
    found = Datagrams(folder).of(HOSTS, range(REPORTS))
    hosts = fleet(HOSTS, "few")
    expected = [list(hosts.datagrams(report)) for report in range(REPORTS)]
    assert [datagram for datagram, _ in found] == [*chain.from_iterable(expected)]
    assert len(found) == sum(map(len, expected))
    assert found.reports == sum(is_first for _, is_first in found) == HOSTS * REPORTS


def test_some_hosts_and_reports_can_be_sent(folder: Path) -> None:
    found = Datagrams(folder).of(5, range(1, 2))
    hosts = fleet(5, "few")
    list(hosts.datagrams(0))
    assert [datagram for datagram, _ in found] == list(hosts.datagrams(1))


def test_processes_on_both_cores_prepare_a_whole_fleet() -> None:
    with prepared("alike", 5, 2) as found:
        datagrams = Datagrams(found.folder).of(5, range(2))
        assert len(datagrams) == found.datagrams
        assert [datagram for datagram, _ in datagrams][: len(datagrams) // 2] == list(
            fleet(5).datagrams(0)
        )
    assert not found.folder.exists()


def test_load_sends_every_datagram_and_states_its_pace(folder: Path) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sender.connect(receiver.getsockname())
        datagrams = Datagrams(folder).of(HOSTS, range(REPORTS))
        received: list[bytes] = []
        count = len(datagrams)
        reading = Thread(target=lambda: received.extend(receiver.recv(2048) for _ in range(count)))
        reading.start()
        result = send(sender, datagrams, 0.001)
        reading.join()
    assert received == [datagram for datagram, _ in datagrams]
    assert result["reports"] == HOSTS * REPORTS
    assert result["datagrams"] == count
    assert result["planned_seconds"] == pytest.approx(HOSTS * REPORTS * 0.001)
    assert result["seconds"] >= (HOSTS * REPORTS - 1) * 0.001
