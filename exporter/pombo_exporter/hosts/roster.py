"""The hosts in memory: reports and time change them, and in the end they are forgotten.

Pure state: time comes in as an argument, and each event is passed to ``notify``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import compress

from msgspec.structs import astuple
from pombo_wire import DEFAULT_INTERVAL_SECONDS, Report

from pombo_exporter.hosts.blocks import (
    KEYS,
    Block,
    Blocks,
    MapTable,
    Stamp,
    rearrange_rows,
    update_rows,
)
from pombo_exporter.hosts.host import (
    CONFLICT,
    DOWN_AFTER,
    IGNORE,
    LATE_AFTER,
    Address,
    Host,
    State,
)
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.runtime.pacing import StepClock


class RefusalReason(StrEnum):
    """Why a valid report was refused."""

    HOST_LIMIT = "host_limit"
    SERIES_LIMIT = "series_limit"
    CONFLICT = "conflict"


class AdmissionError(Exception):
    """A valid report was refused; ``str()`` says why and, for a limit, which."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class HostEvent(StrEnum):
    """What happens to a host; the value is the message of the log."""

    NEW = "host reports for the first time"
    LIVE = "host reports again"
    LATE = "host is late"
    DOWN = "host is down"
    BYE = "host said bye"
    FORGOTTEN = "host is forgotten"
    CONFLICT = "two agents report under one name: give each --name of its own"


_STATE_EVENTS = {State.LIVE: HostEvent.LIVE, State.LATE: HostEvent.LATE, State.DOWN: HostEvent.DOWN}


@dataclass(frozen=True)
class Limits:
    """The limits of what is kept in memory; ``forget_after`` is in seconds."""

    hosts: int = 10_000
    series_per_host: int = 10_000
    forget_after: float = 3600.0


class Roster:
    """Every host that reports, by its name."""

    def __init__(
        self,
        limits: Limits,
        series_of: Mapping[str, int],
        notify: Callable[[HostEvent, Host], None],
        started_at: float,
    ) -> None:
        """Take the limits, the most series of one row by section, and what to call with each event.

        ``started_at`` is the start in seconds on the monotonic clock.
        """
        self.limits = limits
        self.hosts: dict[str, Host] = {}
        self._series_of = series_of
        # Sections that no family reads are not stored.
        self._is_stored = [bool(series_of.get(name)) for name in Report.__struct_fields__]
        self._stored = [*compress(Report.__struct_fields__, self._is_stored)]
        self._notify = notify
        self._complete_since = started_at  # since then, no host was refused or forgotten
        self._added = 0
        self._snapshots: list[Snapshot] = []  # those that are still read

    def listed(self) -> list[Host]:
        """Return the hosts that have not said bye, in the order in which they were first seen."""
        return [host for host in self.hosts.values() if not host.said_bye]

    def find(self, name: str) -> Host | None:
        """Return the host of that name, unless it has said bye."""
        host = self.hosts.get(name)
        return None if host is None or host.said_bye else host

    def snapshot(self, now: float, wall: float) -> Snapshot:
        """Return all listed hosts as they are at this moment."""
        snapshot = Snapshot(self.listed(), now, wall)
        self._snapshots = [each for each in self._snapshots if each.is_open]
        self._snapshots.append(snapshot)
        return snapshot

    @property
    def open_snapshots(self) -> int:
        """The number of snapshots that may still need copies of hosts that change."""
        return sum(snapshot.is_open for snapshot in self._snapshots)

    def admit(self, report: Report, address: Address, now: float, wall: float) -> None:
        """Take one datagram: count it, note that its host is live, store its sections.

        Raises:
            AdmissionError: when a limit is reached, or another agent has the host's name.
        """
        host = self.hosts.get(report.host) or self._add(report.host, address, now)
        self._before_change(host)
        conflicts = host.conflicts
        verdict = host.receive(report, address, now, now - self._complete_since)
        if host.conflicts != conflicts:
            # Both agents are alive: the one that has the name reported after the other was refused.
            self._notify(HostEvent.CONFLICT, host)
        if verdict is CONFLICT:
            detail = (
                f"{report.host!r} is the name of the agent at {host.address[0]}: "
                "give this one another --name"
            )
            raise AdmissionError(RefusalReason.CONFLICT, detail)
        if verdict is IGNORE or (report.bye and report.session != host.session):
            return
        host.update(report, address, now, wall)
        if report.bye:
            host.said_bye = True
            host.sections.clear()
            self._notify(HostEvent.BYE, host)
        else:
            self._store(host, report, now)

    def sweep(self, now: float, steps: StepClock) -> Iterator[None]:
        """Apply what time alone changes: lost datagrams, states, expired blocks, forgotten hosts.

        Yields between steps.
        """
        for host in [*self.hosts.values()]:
            if now >= host.next_check and self.hosts.get(host.name) is host:
                self._check(host, now)
            if steps.step_is_over:
                yield

    def _check(self, host: Host, now: float) -> None:
        self._before_change(host)
        state = host.state_at(now)
        host.sequence.expire_gaps(now - LATE_AFTER * host.interval)
        if host.state is not state:
            host.state = state
            if not host.said_bye:
                self._notify(_STATE_EVENTS[state], host)
        if state is State.DOWN:
            host.sections.clear()
            self._forget_if_due(host, now)
            return
        if host.earliest_expiry() <= now:
            _drop_expired(host.sections, now)
        host.next_check = host.check_after(now)

    def forget(self, name: str, now: float) -> bool:
        """Forget a host at once; return False when there is none of that name."""
        host = self.find(name)
        if host is None:
            return False
        self._forget(host, now)
        return True

    def series(self, sections: Mapping[str, Blocks]) -> int:
        """Return how many series these sections can have at most.

        Samples without a value are counted too.
        """
        return sum(
            len(block.labels) * self._series_of[name]
            for name, blocks in sections.items()
            for block in blocks.values()
        )

    def _before_change(self, host: Host) -> None:
        """Let each snapshot that has not read the host keep it as it is."""
        if self._snapshots:
            self._snapshots = [snapshot for snapshot in self._snapshots if snapshot.is_open]
            for snapshot in self._snapshots:
                snapshot.keep(host)

    def _add(self, name: str, address: Address, now: float) -> Host:
        if len(self.hosts) >= self.limits.hosts:
            self._complete_since = now
            detail = f"{name!r} would be one host more than --limit.hosts={self.limits.hosts}"
            raise AdmissionError(RefusalReason.HOST_LIMIT, detail)
        host = self.hosts[name] = Host(name, address, self._added)
        self._added += 1
        self._notify(HostEvent.NEW, host)
        return host

    def _store(self, host: Host, report: Report, now: float) -> None:
        """Store the sections of a report: prepare all blocks, check the limit, then commit.

        So a report that is refused changes no section.
        """
        stamp = Stamp(report.session, report.seq or 0, report.monotonic)
        expires = now + DOWN_AFTER * (report.interval or DEFAULT_INTERVAL_SECONDS)
        updated: list[tuple[Blocks, tuple[object, ...], Block]] = []
        rearranged: dict[str, Blocks] = {}
        sections = compress(astuple(report), self._is_stored)
        for name, section in zip(self._stored, sections, strict=True):
            if not section:
                continue
            if isinstance(section, dict):
                section = MapTable(tuple(section), tuple(section.values()))  # noqa: PLW2901 - as a table
            blocks = host.sections.get(name, {})
            key = KEYS[type(section)](section)
            stored = blocks.get(key)
            if stored is None:
                rearranged[name] = rearrange_rows(blocks, host.name, section, stamp, expires)
            elif block := update_rows(stored, section, stamp, expires):
                updated.append((blocks, key, block))
        if rearranged:
            self._check_series(host, rearranged)
            host.sections |= rearranged
        for blocks, key, block in updated:
            blocks[key] = block

    def _check_series(self, host: Host, rearranged: dict[str, Blocks]) -> None:
        series = self.series(host.sections | rearranged)
        if series > self.limits.series_per_host:
            limit = f"--limit.series-per-host={self.limits.series_per_host}"
            detail = f"{host.name!r} would have {series} series, over {limit}"
            raise AdmissionError(RefusalReason.SERIES_LIMIT, detail)

    def _forget_if_due(self, host: Host, now: float) -> None:
        down_for = now - host.last_seen - DOWN_AFTER * host.interval
        if host.said_bye:
            del self.hosts[host.name]
        elif down_for >= self.limits.forget_after:
            self._forget(host, now)

    def _forget(self, host: Host, now: float) -> None:
        del self.hosts[host.name]
        self._complete_since = now
        self._notify(HostEvent.FORGOTTEN, host)


def _drop_expired(sections: dict[str, Blocks], now: float) -> None:
    for name, blocks in list(sections.items()):
        expired = [key for key, block in blocks.items() if block.expires <= now]
        for key in expired:
            del blocks[key]
        if not blocks:
            del sections[name]
