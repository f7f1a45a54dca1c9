"""What a metric family is: its name, help and kind, and where its samples come from."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pombo_exporter.hosts.host import Host
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.columns import Column, Columns


class Kind(StrEnum):
    """A family's type, as the text format names it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UNTYPED = "untyped"


@dataclass(frozen=True)
class Rows:
    """A sample for each row of a section: its column, or what ``derive`` makes of its columns.

    ``label`` is one that all these samples have beside those of their row.
    """

    section: str
    columns: tuple[str, ...]
    derive: Callable[..., Column] | None = None
    label: tuple[str, str] | None = None


@dataclass(frozen=True)
class Summary:
    """A sample for each host, over all the rows of a section."""

    section: str
    derive: Callable[[Columns], Column]


@dataclass(frozen=True)
class OfHost:
    """A sample for each host, of what the exporter knows of it; ``value`` takes the time too."""

    value: Callable[[Host, float], float | None]
    info: bool = False  # labelled with what the host says of itself


Source = Rows | Summary | OfHost


@dataclass(frozen=True)
class Family:
    """One metric family."""

    name: str
    help: str
    kind: Kind
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Open:
    """The families of a map: each name in it completes a family's name and its help."""

    section: str
    prefix: str
    help: str
    kind: Kind = Kind.GAUGE


def gauge(name: str, text: str, *sources: Source) -> Family:
    """Return a family of values that go up and down."""
    return Family(name, text, Kind.GAUGE, sources)


def counter(name: str, text: str, *sources: Source) -> Family:
    """Return a family of values that only grow, until they begin anew."""
    return Family(name, text, Kind.COUNTER, sources)


def column(section: str, name: str, label: tuple[str, str] | None = None) -> Rows:
    """Return the samples of a field as it came."""
    return Rows(section, (name,), label=label)


def rate(section: str, *columns: str) -> Rows:
    """Return the samples of the rate at which these columns' sum grows."""
    return Rows(section, columns, derive.per_second)


@dataclass(frozen=True)
class Catalogue:
    """All that a page may hold."""

    families: tuple[Family, ...]
    maps: tuple[Open, ...]

    def series_of(self) -> Mapping[str, int]:
        """Return how many series a row of each section makes, at most."""
        counts = Counter(
            source.section
            for family in self.families
            for source in family.sources
            if not isinstance(source, OfHost)
        )
        counts.update(family.section for family in self.maps)
        return counts
