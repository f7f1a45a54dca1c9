"""What a metric family is: its name, help, type, and the sources of its samples."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum

from pombo_wire import SECTIONS

from pombo_exporter.hosts.host import INFO_LABELS, Host
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.rows import Floats, Rows


class MetricType(StrEnum):
    """The type of a family, as the text format names it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UNTYPED = "untyped"


@dataclass(frozen=True)
class PerRow:
    """A sample for each row of a section.

    The value is the field ``fields[0]``, or what ``derive`` computes from all of ``fields``.
    ``label`` is a label that these samples have in addition to those of their row.
    """

    section: str
    fields: tuple[str, ...]
    derive: Callable[..., Floats] | None = None
    label: tuple[str, str] | None = None

    def values(self, rows: Rows) -> Floats:
        """Return the value of each row, of shape (n,); NaN where unknown."""
        return self.derive(rows, *self.fields) if self.derive else rows.last(self.fields[0])

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels of each sample but ``instance``."""
        section = SECTIONS[self.section]
        own = (self.label[0],) if self.label else ()
        return (*section.__struct_fields__[: section.label_columns], *own)

    @property
    def wire_fields(self) -> tuple[str, ...]:
        """The fields of a report that the samples come from."""
        return tuple(f"{self.section}.{name}" for name in self.fields) or (self.section,)


@dataclass(frozen=True)
class Aggregate:
    """A sample for each host, computed over all its rows of a section."""

    section: str
    derive: Callable[[Rows], Floats]

    def values(self, rows: Rows) -> Floats:
        """Return the value of each host, of shape (h,); NaN where unknown."""
        return self.derive(rows)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels of each sample but ``instance``: none."""
        return ()

    @property
    def wire_fields(self) -> tuple[str, ...]:
        """The section of a report that the samples come from."""
        return (self.section,)


@dataclass(frozen=True)
class HostField:
    """A sample for each host, of what the exporter knows about the host itself.

    ``value`` takes the host and the time on the exporter's monotonic clock; None is unknown. With
    ``info`` the sample has the labels of ``pombo_host_info``.
    """

    value: Callable[[Host, float], float | None]
    info: bool = False

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels of each sample but ``instance`` and those of ``--label``."""
        return INFO_LABELS if self.info else ()

    @property
    def wire_fields(self) -> tuple[str, ...]:
        """The fields of a report that the samples come from: none."""
        return ()


Source = PerRow | Aggregate | HostField


@dataclass(frozen=True)
class Family:
    """One metric family."""

    name: str
    help: str
    type: MetricType
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class OpenFamily:
    """The families that a map of a report makes, one for each name in it.

    A family's name is ``prefix`` and the name. In ``help``, ``{0}`` is the name, ``{1}`` its part
    before the first underscore and ``{2}`` the part after it. ``helps`` has the texts of names
    that do not follow this pattern.
    """

    section: str
    prefix: str
    help: str
    type: MetricType = MetricType.GAUGE
    helps: Mapping[str, str] = dataclass_field(default_factory=dict)

    def named(self, name: str) -> Family:
        """Return the family that one name makes."""
        first, _, rest = name.partition("_")
        text = self.helps.get(name) or self.help.format(name, first, rest)
        return Family(self.prefix + name, text, self.type)


def gauge(name: str, text: str, *sources: Source) -> Family:
    """Return a family of values that go up and down."""
    return Family(name, text, MetricType.GAUGE, sources)


def counter(name: str, text: str, *sources: Source) -> Family:
    """Return a family of values that only increase, until they are reset."""
    return Family(name, text, MetricType.COUNTER, sources)


def field(section: str, name: str, label: tuple[str, str] | None = None) -> PerRow:
    """Return the samples of a field as it was reported."""
    return PerRow(section, (name,), label=label)


def rate(section: str, *fields: str) -> PerRow:
    """Return the samples of the rate at which the sum of these fields increases, per second."""
    return PerRow(section, fields, derive.per_second)


@dataclass(frozen=True)
class FamilyTable:
    """All families that an exposition of hosts may contain."""

    families: tuple[Family, ...]
    open_families: tuple[OpenFamily, ...]

    @property
    def host_fields(self) -> tuple[HostField, ...]:
        """All sources that read the host itself."""
        sources = (source for family in self.families for source in family.sources)
        return tuple(source for source in sources if isinstance(source, HostField))

    @property
    def measured(self) -> "FamilyTable":
        """The families of what hosts measure, without those about the host itself."""

        def about_host(family: Family) -> bool:
            return any(isinstance(source, HostField) for source in family.sources)

        kept = tuple(family for family in self.families if not about_host(family))
        return FamilyTable(kept, self.open_families)

    def series_of(self) -> Mapping[str, int]:
        """Return the maximum number of series of a row, by section."""
        counts = Counter(
            source.section
            for family in self.families
            for source in family.sources
            if not isinstance(source, HostField)
        )
        counts.update(family.section for family in self.open_families)
        return counts
