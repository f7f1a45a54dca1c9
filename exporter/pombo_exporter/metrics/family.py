"""What a metric family is: its name, help, type, and the sources of its samples."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from enum import StrEnum
from functools import cached_property

from pombo_wire import SECTIONS

from pombo_exporter.hosts.host import INFO_LABELS, Host
from pombo_exporter.hosts.layouts import Catalog
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.rows import Floats, Rows


class MetricType(StrEnum):
    """The type of a family, as the text format names it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UNTYPED = "untyped"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


@dataclass(frozen=True)
class PerRow:
    """A sample for each row of a section.

    The value is the field ``fields[0]``, or what ``derive`` computes from all of ``fields``.
    ``labels`` are labels that these samples have in addition to those of their row.
    """

    section: str
    fields: tuple[str, ...]
    derive: Callable[..., Floats] | None = None
    labels: tuple[tuple[str, str], ...] = ()

    def values(self, rows: Rows) -> Floats:
        """Return the value of each row, of shape (n,); NaN where unknown."""
        return self.derive(rows, *self.fields) if self.derive else rows.last(self.fields[0])

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels of each sample but ``instance``."""
        kind = SECTIONS.get(self.section)
        of_rows = kind.__struct_fields__[: kind.label_columns] if kind else ()
        return (*of_rows, *(name for name, _ in self.labels))

    @property
    def wire_fields(self) -> tuple[str, ...]:
        """The fields of a report that the samples come from."""
        return tuple(f"{self.section}.{name}" for name in self.fields) or (self.section,)

    @property
    def rate_fields(self) -> tuple[str, ...]:
        """The fields of which the report before is needed, too."""
        return self.fields if self.derive in derive.FROM_TWO_REPORTS else ()

    def reads(self, columns: Iterable[str]) -> bool:
        """Whether rows with these columns can have samples."""
        return not self.fields or not {*self.fields}.isdisjoint(columns)


@dataclass(frozen=True)
class Aggregate:
    """A sample for each host, computed over all its rows of a section from ``fields``."""

    section: str
    fields: tuple[str, ...]
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

    @property
    def rate_fields(self) -> tuple[str, ...]:
        """The fields of which the report before is needed, too."""
        return self.fields

    def reads(self, columns: Iterable[str]) -> bool:
        """Whether rows with these columns can have samples."""
        return not {*self.fields}.isdisjoint(columns)


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

    @property
    def row_sources(self) -> tuple[PerRow | Aggregate, ...]:
        """The sources that read sections."""
        return tuple(each for each in self.sources if not isinstance(each, HostField))

    @property
    def host_fields(self) -> tuple[HostField, ...]:
        """The sources that read the host itself."""
        return tuple(each for each in self.sources if isinstance(each, HostField))


@dataclass(frozen=True)
class MapFamilies:
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


def field(section: str, name: str, *labels: tuple[str, str]) -> PerRow:
    """Return the samples of a field as it was reported."""
    return PerRow(section, (name,), labels=labels)


def rate(section: str, *fields: str) -> PerRow:
    """Return the samples of the rate at which the sum of these fields increases, per second."""
    return PerRow(section, fields, derive.per_second)


@dataclass(frozen=True)
class Unit:
    """Sections and all families that read them; no family reads sections of two units."""

    sections: frozenset[str]
    families: tuple[Family, ...]


@dataclass(frozen=True)
class FamilyTable:
    """All families that an exposition of hosts may contain, besides open ones.

    Open families whose names begin with ``hidden`` are left out, unless that is empty, and so are
    those for which ``selects`` returns False. ``viewed`` are rates that only views show.

    Raises:
        ValueError: when a family reads both sections and the host itself.
    """

    families: tuple[Family, ...]
    maps: tuple[MapFamilies, ...]
    hidden: str = ""
    viewed: tuple[PerRow | Aggregate, ...] = ()
    selects: Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        """Check the sources of each family."""
        for family in self.families:
            if family.host_fields and family.row_sources:
                raise ValueError(f"{family.name} reads sections and the host itself: choose one")

    @property
    def about_hosts(self) -> tuple[Family, ...]:
        """The families about the hosts themselves."""
        return tuple(family for family in self.families if family.host_fields)

    @property
    def host_fields(self) -> tuple[HostField, ...]:
        """All sources that read the host itself."""
        return tuple(field for family in self.families for field in family.host_fields)

    @property
    def measured(self) -> "FamilyTable":
        """The families of what hosts measure, without those about the host itself."""
        kept = tuple(family for family in self.families if not family.host_fields)
        return replace(self, families=kept)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The families by the sections that they read, in the order of the table."""
        found: list[tuple[set[str], list[Family]]] = [({each.section}, []) for each in self.maps]
        for family in self.families:
            sections = {source.section for source in family.row_sources}
            if not sections:
                continue
            joined = [unit for unit in found if not unit[0].isdisjoint(sections)]
            families = [each for unit in joined for each in unit[1]]
            sections.update(*(unit[0] for unit in joined))
            found = [unit for unit in found if unit not in joined]
            found.append((sections, [*families, family]))
        places = {family.name: place for place, family in enumerate(self.families)}
        found.sort(key=lambda unit: places[unit[1][0].name] if unit[1] else len(places))
        return tuple(Unit(frozenset(sections), tuple(each)) for sections, each in found)

    def shows(self, family: str) -> bool:
        """Whether an open family of this name is not left out."""
        if self.selects is not None and not self.selects(family):
            return False
        return not (self.hidden and family.startswith(self.hidden))

    def map_of(self, family: str) -> MapFamilies | None:
        """Return the map that makes families of such a name, None if there is none."""
        return next((each for each in self.maps if family.startswith(each.prefix)), None)

    def catalog(self) -> Catalog:
        """Return what the roster must know about sections."""
        rates: dict[str, set[str]] = {}
        for source in (*self._row_sources, *self.viewed):
            if source.rate_fields:
                rates.setdefault(source.section, set()).update(source.rate_fields)
        return Catalog(
            rate_columns=rates,
            series=self._series,
            maps={each.section: (each.prefix, str(each.type)) for each in self.maps},
            reserved=frozenset(name for family in self.families for name in _names(family)),
        )

    @cached_property
    def _row_sources(self) -> tuple[PerRow | Aggregate, ...]:
        return tuple(source for family in self.families for source in family.row_sources)

    @cached_property
    def _fields_of(self) -> Mapping[str, Sequence[frozenset[str]]]:
        """The fields of each source by section; those of one source are any of them."""
        found: dict[str, list[frozenset[str]]] = {}
        for source in self._row_sources:
            found.setdefault(source.section, []).append(frozenset(source.fields))
        return found

    def _series(self, section: str, columns: Collection[str]) -> int:
        """Return how many series a row with these columns has at most."""
        # A source without fields has a sample for each row.
        found = self._fields_of.get(section, ())
        return sum(not fields or not fields.isdisjoint(columns) for fields in found)


def _names(family: Family) -> tuple[str, ...]:
    """Return the names that no other family may have next to this one."""
    if family.type is not MetricType.COUNTER:
        return (family.name,)
    base = family.name.removesuffix("_total")
    # In OpenMetrics a counter is named without `_total`, and has a time of creation.
    return family.name, base, f"{base}_created", f"{base}_created_total"
