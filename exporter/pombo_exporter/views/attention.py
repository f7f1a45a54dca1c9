"""What of a host needs attention: a reason for each value that is over a threshold.

A value that was over a threshold stays over it until it is lower by a margin. So ``held`` says
which values of a host are over one, and ``Host.held`` keeps that for the next time.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pombo_cli import human

from pombo_exporter.hosts import loss
from pombo_exporter.hosts.host import LATE_AFTER, Host, State
from pombo_exporter.hosts.layouts import Section
from pombo_exporter.hosts.severity import (
    CRITICAL,
    DOWN,
    DUPLICATE,
    LATE,
    LOSS_FROM,
    MOST_REASONS,
    OK,
    RANKS,
    REASONS,
    SEVERITIES,
    SWAP_FROM,
    WARNING,
    Check,
    Reason,
    Severity,
    Table,
    Unit,
    check,
    counts_from,
    level,
    reached,
)
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.rows import Floats, Gathered, MixedRows, Rows, gather

#: The families of the units of systemd: how many there are in each state, and the state of each.
UNITS: Final = "node_systemd_units"
UNIT_STATES: Final = "node_systemd_unit_state"

#: The sections that reasons are found in, besides those of memory and swap space.
SECTIONS: Final = frozenset({"filesystems", "temperatures", "collectors", UNITS})

_MOST_NAMES: Final = 3  # of what failed, in words
_MOST_HELD: Final = 32  # of one host

_NOTHING: Final = array("q")
_ORDER: Final = {each: place for place, each in enumerate(REASONS)}

#: Of ``Host.held``: the last bits of each number are a severity, the others say of what.
_SEVERITY_BITS: Final = 3

_quiet = np.errstate(over="ignore", invalid="ignore")

_CLOCK, _LOSS = check("clock"), check("loss")


class Measured(NamedTuple):
    """What some hosts have measured: the rows of ``SECTIONS``, and shares of shape (h,).

    ``memory`` is the share that is used, ``swap`` returns that of the swap space.
    """

    rows: Gathered
    memory: Floats
    swap: Callable[[], Floats]


class _Finder:
    """Collects the reasons of some hosts."""

    def __init__(self, hosts: Sequence[Host], thresholds: Table) -> None:
        self.thresholds = thresholds
        self.found: list[list[Reason]] = [[] for _ in hosts]
        self.held: list[list[int]] = [[] for _ in hosts]
        self._hosts = hosts

    def add(self, host: int, of: Check, value: float, key: str, subject: str) -> bool:
        """Add the reason of a value, if it is one; ``key`` identifies what the value is of."""
        thresholds = self.thresholds[of.id]
        number = hash((of.id, key)) & ~_SEVERITY_BITS
        before = _before(self._hosts[host], number)
        severity = level(of, thresholds, value, before)
        if severity is OK:
            return False
        threshold = reached(thresholds, severity)
        text = of.text(subject, value)
        reason = Reason(of.id, severity, subject, value, threshold, of.unit, text)
        self.found[host].append(reason)
        if of.margin:
            self.held[host].append(number | RANKS[severity])
        return True

    def candidates(self, of: Check, values: Floats) -> NDArray[np.intp]:
        """Return the places of values that may be reasons, the greatest value first."""
        least = counts_from(of, self.thresholds[of.id])
        if least == inf:
            return np.empty(0, np.intp)
        found = (values >= least).nonzero()[0]
        return found[np.argsort(-values[found], kind="stable")] if len(found) > 1 else found


def _before(host: Host, number: int) -> Severity:
    """Return how urgent something of a host has been, by its number in ``Host.held``."""
    found = (each for each in host.held if each & ~_SEVERITY_BITS == number)
    return next((SEVERITIES[each & _SEVERITY_BITS] for each in found), OK)


def reasons(
    hosts: Sequence[Host], measured: Measured, now: float, thresholds: Table
) -> list[list[Reason]]:
    """Return the reasons of each host, the most urgent first.

    ``now`` is the monotonic clock in seconds.
    """
    finder = _with_margins(hosts, measured, thresholds)
    rows = measured.rows
    if "device_error" in rows["filesystems"].columns:
        _failed(finder, check("device_errors"), rows["filesystems"], "mountpoint", _is_unreadable)
    if "collectors" in rows:
        _failed(finder, check("collectors"), rows["collectors"], "collector", _is_failing)
    if UNITS in rows:
        _services(finder, hosts, rows[UNITS], now)
    for host, own in zip(hosts, finder.found, strict=True):
        if now - host.last_seen >= LATE_AFTER * host.interval or host.is_duplicate(now):
            own.extend(_of_state(host, now))
        if len(own) > 1:
            own.sort(key=_urgency)
    return finder.found


def held(hosts: Sequence[Host], measured: Measured, thresholds: Table) -> list["array[int]"]:
    """Return the next ``Host.held`` of each host."""
    found = _with_margins(hosts, measured, thresholds).held
    return [array("q", sorted(own[:_MOST_HELD])) if own else _NOTHING for own in found]


def _urgency(reason: Reason) -> tuple[int, int, float]:
    return -RANKS[reason.severity], _ORDER[reason.id], -(reason.value or 0.0)


def filled(rows: Rows) -> Floats:
    """Return the share of each filesystem in use, of shape (n,)."""
    return derive.filled_ratio(rows, "size", "free", "available")


def _with_margins(hosts: Sequence[Host], measured: Measured, thresholds: Table) -> _Finder:
    """Find the reasons whose values have a margin."""
    finder = _Finder(hosts, thresholds)
    if "filesystems" in measured.rows:
        _filesystems(finder, measured.rows["filesystems"])
    _memory(finder, measured.memory, measured.swap)
    least_offset = counts_from(_CLOCK, thresholds["clock"])
    for index, host in enumerate(hosts):
        _of_host(finder, index, host, least_offset)
    if "temperatures" in measured.rows:
        _temperatures(finder, measured.rows["temperatures"])
    return finder


def _of_state(host: Host, now: float) -> Iterator[Reason]:
    """Yield the reasons without thresholds that can be set."""
    state = host.state_at(now)
    if state is not State.LIVE:
        is_down = state is State.DOWN
        seconds = (host.down_after if is_down else LATE_AFTER) * host.interval
        text = f"no report for more than {human.span(seconds)}"
        if host.is_restored:
            text = "no report since the exporter started"
        yield Reason(
            DOWN if is_down else LATE,
            CRITICAL if is_down else WARNING,
            "",
            None,
            seconds,
            Unit.SECONDS,
            text,
        )
    if host.is_duplicate(now):
        both = " and ".join(duplicate_addresses(host, now))
        text = f"two agents: {both}"
        yield Reason(DUPLICATE, WARNING, both, float(host.conflicts), 1.0, Unit.COUNT, text)


def duplicate_addresses(host: Host, now: float) -> list[str]:
    """Return the addresses of the two agents that report under a host's name; none without two.

    That of the agent that holds the name is the first. They have ports where they are equal.
    """
    if not host.is_duplicate(now):
        return []
    both = host.address, host.conflict_address
    if both[0][0] != both[1][0]:
        return [str(address) for address, *_ in both]
    return [
        f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"
        for address, port, *_ in both
    ]


def _of_host(finder: _Finder, index: int, host: Host, least_offset: float) -> None:
    offset = host.clock_offset
    if offset is not None and abs(offset) >= least_offset:
        finder.add(index, _CLOCK, abs(offset), "", "ahead" if offset > 0 else "behind")
    if host.sequence.lost:
        received, lost = loss.since(host.loss_samples, host.sequence.received, host.sequence.lost)
        if lost >= LOSS_FROM:
            finder.add(index, _LOSS, lost / (received + lost), "", "")


def _filesystems(finder: _Finder, rows: MixedRows) -> None:
    is_writable = rows.last("readonly") != 1
    values = {"disk": rows.cached(filled)}
    if "files" in rows.columns:
        values["inodes"] = derive.used_ratio(rows, "files", "files_free")
    for name, shares in values.items():
        of = check(name)
        found = finder.candidates(of, np.where(is_writable, shares, np.nan))
        seen: set[tuple[int, str, float]] = set()  # the same filesystem may be mounted twice
        counts: dict[int, int] = {}
        for row in found.tolist():
            host, value = int(rows.host_of[row]), float(shares[row])
            if counts.get(host, 0) >= MOST_REASONS:
                continue
            texts = rows.texts_of(row)
            device = texts["device"]
            if device.startswith("/"):
                if (host, device, value) in seen:
                    continue
                seen.add((host, device, value))
            if finder.add(host, of, value, texts["mountpoint"], texts["mountpoint"]):
                counts[host] = counts.get(host, 0) + 1


def _memory(finder: _Finder, memory: Floats, swap: Callable[[], Floats]) -> None:
    of = check("memory")
    for host in finder.candidates(of, memory).tolist():
        finder.add(host, of, float(memory[host]), "", "")
    is_short = memory >= SWAP_FROM
    if is_short.any():
        of = check("swap")
        pressed = np.where(is_short, swap(), np.nan)
        for host in finder.candidates(of, pressed).tolist():
            finder.add(host, of, float(pressed[host]), "", "")


@_quiet
def _temperatures(finder: _Finder, rows: MixedRows) -> None:
    of = check("temperature")
    critical = rows.last("crit")
    shares = np.divide(
        rows.last("celsius"), critical, out=np.full(len(rows), np.nan), where=critical > 0
    )
    counts: dict[int, int] = {}
    for row in finder.candidates(of, shares).tolist():
        host = int(rows.host_of[row])
        if counts.get(host, 0) >= MOST_REASONS:
            continue
        texts = rows.texts_of(row)
        subject = f"{texts['chip']} {texts['sensor']}"
        if finder.add(host, of, float(shares[row]), subject, subject):
            counts[host] = counts.get(host, 0) + 1


def _is_unreadable(rows: MixedRows) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = rows.last("device_error") == 1
    return found


def _is_failing(rows: MixedRows) -> NDArray[np.bool_]:
    # One that took no time has nothing to report, as where a host has no such hardware.
    found: NDArray[np.bool_] = (rows.last("success") == 0) & (rows.last("seconds") != 0)
    return found


def _failed(
    finder: _Finder,
    of: Check,
    rows: MixedRows,
    label: str,
    is_failed: Callable[[MixedRows], NDArray[np.bool_]],
) -> None:
    """Add a reason for each host of which rows have failed, with some of their names."""
    by_host: dict[int, list[int]] = {}
    for row in is_failed(rows).nonzero()[0].tolist():
        by_host.setdefault(int(rows.host_of[row]), []).append(row)
    for host, failed in by_host.items():
        names = [rows.texts_of(row)[label] for row in failed[:_MOST_NAMES]]
        finder.add(host, of, float(len(failed)), "", _listed(names, len(failed)))


def _services(finder: _Finder, hosts: Sequence[Host], rows: MixedRows, now: float) -> None:
    values = rows.last(UNITS)
    places: dict[Section, int | None] = {}
    start = 0
    for section in rows.sections:
        if section not in places:
            places[section] = _place_of_failed(section)
        place = places[section]
        if place is not None and values[start + place] >= 1:
            host, count = int(rows.host_of[start]), float(values[start + place])
            names = _failed_units(hosts[host], now)
            finder.add(host, check("services"), count, "", _listed(names, int(count)))
        start += section.rows


def _place_of_failed(section: Section) -> int | None:
    """Return the row of a section that counts failed units, None without one."""
    if "state" not in section.labels:
        return None
    states = section.texts()[section.labels.index("state")]
    return states.index("failed") if "failed" in states else None


def _failed_units(host: Host, now: float) -> list[str]:
    """Return the names of some failed units of a host."""
    return failed_units(gather([host], {UNIT_STATES}, now)[UNIT_STATES])[:_MOST_NAMES]


def failed_units(rows: MixedRows) -> list[str]:
    """Return the names of the units that have failed, of the rows of ``UNIT_STATES``."""
    values = rows.last(UNIT_STATES)
    found: list[str] = []
    start = 0
    for section in rows.sections:
        if {"name", "state"} <= {*section.labels}:
            texts = dict(zip(section.labels, section.texts(), strict=True))
            pairs = enumerate(zip(texts["name"], texts["state"], strict=True), start)
            found += [name for at, (name, state) in pairs if state == "failed" and values[at] == 1]
        start += section.rows
    return found


def _listed(names: Sequence[str], count: int) -> str:
    """Return names with commas between them, and how many more there are."""
    more = count - len(names)
    if not names:
        return "see systemctl --failed"
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
