"""How urgent a host is: one table of thresholds, and the worst of all reasons.

The API, the status page, ``top``, the alerting rules and ``docs/severity.md`` share ``CHECKS``.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

from msgspec import Struct
from pombo_cli import human


class Severity(StrEnum):
    """How urgent a host is: *critical* needs action now, *warning* today."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


OK, WARNING, CRITICAL = Severity

#: From the least urgent to the most urgent.
SEVERITIES: Final = (OK, WARNING, CRITICAL)

#: The place of each severity in ``SEVERITIES``.
RANKS: Final[Mapping[Severity, int]] = {each: rank for rank, each in enumerate(SEVERITIES)}


class Unit(StrEnum):
    """The unit of a value and of its thresholds."""

    RATIO = "ratio"
    SECONDS = "seconds"
    COUNT = "count"


class Thresholds(NamedTuple):
    """From which value a reason is a warning, and critical; ``inf`` where it never is."""

    warning: float = inf
    critical: float = inf


class Check(NamedTuple):
    """What is compared with thresholds.

    ``id`` is that of its reasons and the name of its flag. ``measures`` says which value is
    compared, ``words`` have ``{subject}`` and ``{value}``, and ``noun`` is what a count counts.
    Once a value is over a threshold, it counts as over it until it falls by ``margin``, a share of
    the threshold, so that a value close to it does not change the severity with each report.
    """

    id: str
    unit: Unit
    default: Thresholds
    margin: float
    measures: str
    words: str
    noun: str = ""

    def text(self, subject: str, value: float) -> str:
        """Return a reason in words."""
        return self.words.format(subject=subject, value=self.value_text(value))

    def value_text(self, value: float) -> str:
        """Return a value with its unit, for people."""
        if self.unit is Unit.RATIO:
            return f"{100 * value:.1f}".removesuffix(".0") + " %"
        if self.unit is Unit.SECONDS:
            return human.span(value)
        return f"{value:.0f} {self.noun}{'' if value == 1 else 's'}"


#: Every check with thresholds that can be set, in the order in which reasons are shown.
CHECKS: Final = (
    Check(
        "disk",
        Unit.RATIO,
        Thresholds(0.9, 0.97),
        0.02,
        "the share of a writable filesystem that is used, without what is reserved for root",
        "disk {subject} {value} used",
    ),
    Check(
        "inodes",
        Unit.RATIO,
        Thresholds(0.9, 0.97),
        0.02,
        "the share of the inodes of a writable filesystem that is used",
        "inodes of {subject} {value} used",
    ),
    Check(
        "memory",
        Unit.RATIO,
        Thresholds(0.9, 0.97),
        0.05,
        "the share of the memory that is not available",
        "memory {value} used",
    ),
    Check(
        "swap",
        Unit.RATIO,
        Thresholds(0.8, 0.95),
        0.05,
        "the share of the swap space that is used, while at least 80 % of the memory is",
        "swap {value} used",
    ),
    Check(
        "loss",
        Unit.RATIO,
        Thresholds(0.05, 0.5),
        0.2,
        "the share of its datagrams that was lost in the last ten minutes, if three or more were",
        "{value} of datagrams lost in 10 min",
    ),
    Check(
        "clock",
        Unit.SECONDS,
        Thresholds(5.0, 300.0),
        0.2,
        "the difference between the clocks of host and exporter, in either direction",
        "clock {value} {subject}",
    ),
    Check(
        "temperature",
        Unit.RATIO,
        Thresholds(0.95, 1.0),
        0.03,
        "the temperature of a sensor, as a share of the one that the sensor calls critical",
        "temperature {subject} {value} of critical",
    ),
    Check(
        "device_errors",
        Unit.COUNT,
        Thresholds(1, inf),
        0.0,
        "filesystems of which the host cannot read the sizes",
        "{value} with device errors: {subject}",
        "filesystem",
    ),
    Check(
        "collectors",
        Unit.COUNT,
        Thresholds(1, inf),
        0.0,
        "collectors of the agent that fail, but not those that have nothing to report",
        "{value} failing: {subject}",
        "collector",
    ),
    Check(
        "services",
        Unit.COUNT,
        Thresholds(1, inf),
        0.0,
        "units of systemd that have failed; the agent reports them with `--collector.systemd`",
        "{value} failed: {subject}",
        "service",
    ),
)

_BY_ID: Final[Mapping[str, Check]] = {check.id: check for check in CHECKS}

#: Reasons without thresholds of their own.
DOWN, LATE, DUPLICATE = "down", "late", "duplicate_name"

#: The identifiers of all reasons.
REASONS: Final = (DOWN, LATE, DUPLICATE, *_BY_ID)

#: From which share of used memory on swap space counts, since programs then have to be swapped.
SWAP_FROM: Final = 0.8

#: How many datagrams must be lost in ten minutes for ``loss`` to count.
LOSS_FROM: Final = 3

#: The most reasons of one check; a host may have a thousand full filesystems.
MOST_REASONS: Final = 8


class Reason(Struct, frozen=True, gc=False):
    """One thing that needs attention.

    ``subject`` is what it is about, such as a mount point, and may be empty. ``threshold`` is the
    one that ``value`` has reached, in ``unit``; both are None where nothing is measured.
    """

    id: str
    severity: Severity
    subject: str
    value: float | None
    threshold: float | None
    unit: Unit
    text: str


#: The thresholds of each check, by its identifier.
Table = Mapping[str, Thresholds]

DEFAULTS: Final[Table] = {check.id: check.default for check in CHECKS}


def check(name: str) -> Check:
    """Return the check of an identifier."""
    return _BY_ID[name]


def worst_of(severities: Iterable[Severity]) -> Severity:
    """Return the most urgent severity; *ok* without any."""
    return max(severities, key=RANKS.__getitem__, default=OK)


def level(of: Check, thresholds: Thresholds, value: float, before: Severity = OK) -> Severity:
    """Return how urgent a value is, of which it is known how urgent it was ``before``.

    A value that is not known, NaN, is *ok*.
    """
    for found, threshold in ((CRITICAL, thresholds.critical), (WARNING, thresholds.warning)):
        is_held = RANKS[before] >= RANKS[found]
        if value >= (lowered(of, threshold) if is_held else threshold):
            return found
    return OK


def counts_from(of: Check, thresholds: Thresholds) -> float:
    """Return the least value that can be more than *ok*, whatever it was before."""
    return lowered(of, min(thresholds))


def lowered(of: Check, threshold: float) -> float:
    """Return below which value a threshold is no longer reached, once it was."""
    return threshold if threshold == inf else threshold * (1 - of.margin)


def reached(thresholds: Thresholds, severity: Severity) -> float:
    """Return the threshold of a severity that is more than *ok*."""
    return thresholds.critical if severity is CRITICAL else thresholds.warning
