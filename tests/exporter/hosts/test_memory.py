"""What is booked for hosts bounds the memory that they take, and is not much more than it."""

import gc
import tracemalloc
from collections.abc import Iterable

import msgspec
import pytest
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.views import describe
from pombo_wire import Info, Report
from support.builders import Exporter

from bench.fleets.hostile import FLOODS, datagrams
from bench.harness.fleet import Kind, fleet

#: Of the hosts of a flood; the limits of all but bytes are never reached.
HOSTS = 60
NO_LIMIT = 10**9
LIMITS = Limits(
    hosts=NO_LIMIT,
    series_per_host=NO_LIMIT,
    bytes=2**40,
    families=NO_LIMIT,
    layouts=NO_LIMIT,
)

#: What Python allocates for the dicts of a roster whatever is in them, as they grow by steps.
FIXED = 128 * 1024

#: Floods of each kind of what a host keeps; the others are slow tests.
OFTEN_TRIED = {
    *("labels that all have", "names", "open families with 16 labels", "records"),
    "rows of two hosts",
}

#: Booked bytes by those that an honest host takes.
MAX_OVERBOOKED = 1.6


def taken(exporter: Exporter, reports: Iterable[Iterable[bytes]]) -> int:
    """Take reports one after the other, a page after each and an answer of the API at the end.

    Return how many bytes remain allocated.

    The curves of the status page are booked by themselves.
    """
    gc.collect()
    tracemalloc.start()
    try:
        for report in reports:
            for datagram in report:
                exporter.take_datagram(datagram)
            for _ in exporter.exposition_pieces():
                pass
            exporter.now += 5
        for host in exporter.roster.hosts.values():
            msgspec.json.encode(describe.summaries([host], exporter.now))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "name",
    [
        name if name in OFTEN_TRIED else pytest.param(name, marks=pytest.mark.slow)
        for name in FLOODS
    ],
)
def test_flood_takes_no_more_memory_than_is_booked(name: str) -> None:
    warm = [*datagrams(FLOODS[name], range(HOSTS, HOSTS + 2))]
    taken(Exporter(LIMITS), [warm])  # what is made once, as caches of regular expressions
    exporter = Exporter(LIMITS)
    found = taken(exporter, [[*datagrams(FLOODS[name], range(HOSTS))]])
    assert len(exporter.roster.hosts) == HOSTS
    assert found - FIXED <= exporter.roster.booked_bytes


@pytest.mark.parametrize(
    "kind", ["alike", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("few", "unlike"))]
)
def test_honest_hosts_are_booked_at_little_more_than_they_take(kind: Kind) -> None:
    senders = fleet(40, kind)
    reports = [[*senders.datagrams(report)] for report in range(3)]
    taken(Exporter(LIMITS), reports[:1])
    exporter = Exporter(LIMITS)
    found = taken(exporter, reports)
    booked = exporter.roster.booked_bytes
    assert found - FIXED <= booked <= MAX_OVERBOOKED * found


def test_answer_of_the_api_does_not_change_what_is_booked() -> None:
    exporter = Exporter()
    name, text = "🕊" * 100, "日本 é🕊"
    exporter.take(Report(name, session=1, seq=0, labels={"room": text}, info=Info(agent=text)))
    host = exporter.host(name)
    own, booked = host.own_bytes, exporter.roster.booked_bytes
    msgspec.json.encode(describe.summaries([host], exporter.now))  # it keeps UTF-8 forms of texts
    assert host.own_bytes == own
    exporter.roster.forget(name, exporter.now)
    assert (exporter.roster.booked_bytes, booked > own) == (0, True)
