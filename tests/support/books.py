"""What is true of every roster: right totals, no series twice, nothing stored of refused ones."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.layouts import Section
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.slots import cells_of
from pombo_wire import SECTIONS, Record

from support.builders import Exporter

#: Limits that a few small datagrams reach.
LOW = Limits(
    hosts=3,
    series_per_host=14,
    forget_after=120.0,
    bytes=28_000,
    families=4,
    layouts=9,
    items_per_host=130,
)


def sections(host: Host) -> Iterator[Section]:
    return (section for slot in host.stored() for section in slot.sections)


def recounted(roster: Roster) -> dict[str, Any]:
    """Return what the roster's totals must be, counted from what its hosts have."""
    users = Counter(section for host in roster.hosts.values() for section in sections(host))
    types: dict[str, set[str]] = {}
    for section in users:
        for name in section.families:
            types.setdefault(name, set()).add(section.type)
    return {"users": users, "types": types}


def check_limits(roster: Roster) -> None:
    """Check that nothing exceeds the limits."""
    limits = roster.limits
    assert len(roster.hosts) <= limits.hosts
    assert roster.booked_bytes <= limits.bytes
    assert roster.layouts.count <= limits.layouts
    assert len(roster.layouts.types) <= limits.families
    for host in roster.hosts.values():
        assert host.series <= limits.series_per_host


def check_books(roster: Roster) -> None:
    """Check the totals against what the hosts have."""
    layouts, found = roster.layouts, recounted(roster)
    assert layouts.count == len(found["users"])
    assert all(section.users == count for section, count in found["users"].items())
    assert {section.raw for section in found["users"]} == {
        layouts.find(section.raw).raw for section in found["users"]
    }
    assert all(layouts.find(section.raw) is section for section in found["users"])
    assert {name: {*kinds} for name, kinds in layouts.types.items()} == found["types"]
    hosts = [*roster.hosts.values()]
    assert roster.booked_bytes == layouts.booked_bytes + sum(host.booked_bytes for host in hosts)
    for host in hosts:
        slots = sum(slot.booked_bytes for slot in host.stored())
        fixed = host.booked_bytes - slots - host.own_bytes
        assert fixed == booked_for_an_empty_host()


@cache
def booked_for_an_empty_host() -> int:
    """Return what is booked for any host besides its texts and slots."""
    exporter = Exporter()
    exporter.take_datagram(b'{"host":"pi"}')
    return exporter.roster.booked_bytes - exporter.host().own_bytes


def series_of(host: Host) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield each sample of a host that is shown: what it is of, and its labels."""
    for slot in host.shown():
        for section, start in zip(slot.sections, slot.arrangement.starts, strict=True):
            cells = cells_of(section, slot.numbers, start)
            assert cells.shape == (len(section.columns), section.rows)
            kind = SECTIONS.get(section.name)
            # The texts of a record describe its one row.
            texts = () if kind and issubclass(kind, Record) else section.texts()
            rows = [*zip(*texts, strict=True)] or [()]
            for name in section.families or [f"{section.name}.{each}" for each in section.columns]:
                for row in rows:
                    yield name, (*zip(section.labels, row, strict=False),)


def check_series(roster: Roster) -> None:
    """Check that no two samples of a host are of one series."""
    for host in roster.hosts.values():
        found = Counter(series_of(host))
        assert not [series for series, count in found.items() if count > 1]
        names = {section.name for slot in host.shown() for section in slot.sections}
        assert not ("meminfo" in names and names & {"memory", "swap"})


class State:
    """What a refused datagram must not change."""

    def __init__(self, roster: Roster) -> None:
        types = {name: {*kinds} for name, kinds in roster.layouts.types.items()}
        self.totals = roster.booked_bytes, roster.layouts.count, types
        self.holders = {name: host.identity for name, host in roster.hosts.items()}
        self.hosts = {
            name: ([*host.slots], [*host.pending], dict(host.loose), host.info_text, host.labels)
            for name, host in roster.hosts.items()
        }


def check_refused(before: State, after: State) -> None:
    """Check that a refused datagram stored nothing.

    It may be the first of a host, which is noted, or of a session, which ends the one before.
    """
    if before.holders == after.holders:
        assert (before.totals, before.hosts) == (after.totals, after.hosts)
        return
    [name] = [name for name, holder in after.holders.items() if before.holders.get(name) != holder]
    slots, pending, loose, *_ = after.hosts.pop(name)
    assert not slots
    assert not pending
    kept = before.hosts.pop(name)[2] if name in before.hosts else {}
    assert loose.items() <= kept.items()
    assert before.hosts == after.hosts
