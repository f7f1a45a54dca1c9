"""The hosts in memory: reports come in, time passes, hosts come and go.

Pure state: time comes in as an argument, and what happens is told to ``tell``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import compress

from msgspec.structs import astuple
from pombo_wire import DEFAULT_INTERVAL_SECONDS, Report

from pombo_exporter.hosts.blocks import KEYS, Block, Blocks, Named, Stamp, follow, place
from pombo_exporter.hosts.host import DOWN_AFTER, IGNORE, LATE_AFTER, RIVAL, Address, Host, State


class Refusal(StrEnum):
    """Why a valid report was not taken."""

    HOST_LIMIT = "host_limit"
    SERIES_LIMIT = "series_limit"
    CONFLICT = "conflict"


class RefusedError(Exception):
    """A report was not taken. ``str()`` says what was over which bound, and the remedy."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Event(StrEnum):
    """What happens to a host, as the log says it."""

    NEW = "host reports for the first time"
    LIVE = "host reports again"
    LATE = "host is late"
    DOWN = "host is down"
    BYE = "host said bye"
    FORGOTTEN = "host is forgotten"
    CONFLICT = "two agents report under one name: give each --name of its own"


_HOSTS_A_STEP = 16

_TURNS = {State.LIVE: Event.LIVE, State.LATE: Event.LATE, State.DOWN: Event.DOWN}


@dataclass(frozen=True)
class Limits:
    """The bounds of what is held; ``forget_after`` is in seconds."""

    hosts: int = 10_000
    series_per_host: int = 10_000
    forget_after: float = 3600.0


class Roster:
    """Every host that reports, by its name."""

    def __init__(
        self,
        limits: Limits,
        series_of: Mapping[str, int],
        tell: Callable[[Event, Host], None],
        started_at: float,
    ) -> None:
        """Take the bounds, how many series a row of each section makes, and the time."""
        self.limits = limits
        self.hosts: dict[str, Host] = {}
        self._series_of = series_of
        # What no page shows is not held.
        self._holds = [bool(series_of.get(name)) for name in Report.__struct_fields__]
        self._names = [*compress(Report.__struct_fields__, self._holds)]
        self._tell = tell
        self._complete_since = started_at  # since when whoever reported is in memory

    def present(self) -> list[Host]:
        """Return the hosts that have not said bye."""
        return [host for host in self.hosts.values() if not host.departed]

    def find(self, name: str) -> Host | None:
        """Return the host of that name, unless it has said bye."""
        host = self.hosts.get(name)
        return None if host is None or host.departed else host

    def admit(self, report: Report, address: Address, now: float, wall: float) -> None:
        """Book a report's number, note that its host lives, hold its sections.

        Raises:
            RefusedError: when a bound is reached, or another agent holds the host's name.
        """
        host = self.hosts.get(report.host) or self._welcome(report.host, address, now)
        conflicts = host.conflicts
        verdict = host.judge(report, address, now, now - self._complete_since)
        if host.conflicts != conflicts:
            self._tell(Event.CONFLICT, host)
        if verdict is RIVAL:
            detail = (
                f"{report.host!r} is held by the agent at {host.address[0]}: give another --name"
            )
            raise RefusedError(Refusal.CONFLICT, detail)
        if verdict is IGNORE or (report.bye and report.session != host.session):
            return
        host.hear(report, address, now, wall)
        if report.bye:
            host.departed = True
            host.sections.clear()
            self._tell(Event.BYE, host)
        else:
            self._hold(host, report, now)

    def sweep(self, now: float) -> Iterator[None]:
        """Let time pass: settle losses, drop what expired, forget whom nobody awaits.

        Yields after every few hosts, for the caller to do something else in between.
        """
        for number, host in enumerate(self.hosts.copy().values()):
            if number % _HOSTS_A_STEP == 0:
                yield
            if now >= host.due and self.hosts.get(host.name) is host:  # not forgotten meanwhile
                self._look_at(host, now)

    def _look_at(self, host: Host, now: float) -> None:
        state = host.state_at(now)
        host.ledger.settle(now - LATE_AFTER * host.interval)
        if host.state is not state:
            host.state = state
            if not host.departed:
                self._tell(_TURNS[state], host)
        if state is State.DOWN:
            host.sections.clear()
            self._forget_if_due(host, now)
            return
        if host.earliest_expiry() <= now:
            _drop_expired(host.sections, now)
        host.due = host.next_due(now)

    def forget(self, name: str, now: float) -> bool:
        """Forget a host at once; return False when there is none of that name."""
        host = self.find(name)
        if host is None:
            return False
        self._forget(host, now)
        return True

    def series(self, sections: Mapping[str, Blocks]) -> int:
        """Return how many series these sections of a host make, at most."""
        return sum(
            len(block.labels) * self._series_of[name]
            for name, blocks in sections.items()
            for block in blocks.values()
        )

    def _welcome(self, name: str, address: Address, now: float) -> Host:
        if len(self.hosts) >= self.limits.hosts:
            self._complete_since = now
            detail = f"{name!r} would be one host more than --limit.hosts={self.limits.hosts}"
            raise RefusedError(Refusal.HOST_LIMIT, detail)
        host = self.hosts[name] = Host(name, address)
        self._tell(Event.NEW, host)
        return host

    def _hold(self, host: Host, report: Report, now: float) -> None:
        stamp = Stamp(report.session, report.seq or 0, report.monotonic)
        expires = now + DOWN_AFTER * (report.interval or DEFAULT_INTERVAL_SECONDS)
        followed: list[tuple[Blocks, tuple[object, ...], Block]] = []
        placed: dict[str, Blocks] = {}
        for name, section in zip(self._names, compress(astuple(report), self._holds), strict=True):
            if not section:
                continue
            if isinstance(section, dict):
                section = Named(tuple(section), tuple(section.values()))  # noqa: PLW2901 - as a table
            blocks = host.sections.get(name, {})
            key = KEYS[type(section)](section)
            held = blocks.get(key)
            if held is None:
                placed[name] = place(blocks, host.name, section, stamp, expires)
            elif block := follow(held, section, stamp, expires):
                followed.append((blocks, key, block))
        if placed:
            self._check_series(host, placed)
            host.sections |= placed
        for blocks, key, block in followed:
            blocks[key] = block

    def _check_series(self, host: Host, placed: dict[str, Blocks]) -> None:
        series = self.series(host.sections | placed)
        if series > self.limits.series_per_host:
            limit = f"--limit.series-per-host={self.limits.series_per_host}"
            detail = f"{host.name!r} would have {series} series, over {limit}"
            raise RefusedError(Refusal.SERIES_LIMIT, detail)

    def _forget_if_due(self, host: Host, now: float) -> None:
        down_for = now - host.last_seen - DOWN_AFTER * host.interval
        if host.departed:
            del self.hosts[host.name]
        elif down_for >= self.limits.forget_after:
            self._forget(host, now)

    def _forget(self, host: Host, now: float) -> None:
        del self.hosts[host.name]
        self._complete_since = now
        self._tell(Event.FORGOTTEN, host)


def _drop_expired(sections: dict[str, Blocks], now: float) -> None:
    for name, blocks in list(sections.items()):
        expired = [key for key, block in blocks.items() if block.expires <= now]
        for key in expired:
            del blocks[key]
        if not blocks:
            del sections[name]
