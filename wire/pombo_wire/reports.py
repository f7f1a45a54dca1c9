"""Reports as sections, and back.

Agents make sections of what they read. Whoever has a ``Report`` (tests, benchmarks, scripts) gets
its sections here.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from pombo_wire.forms import plain
from pombo_wire.schema import SECTIONS, Header, OpenFamily, Record, Report
from pombo_wire.section import Section, in_order
from pombo_wire.splitting import Form, Splitter

#: A section: a field of ``Report`` and its value.
Part = tuple[str, Any]

_HOST_GAUGES = "*"  # the name under which `gauges` of a report are open families


def header_of(report: Header) -> dict[str, Any]:
    """Return the fields of the header of ``report`` that do not have their default."""
    fields = zip(Header.__struct_fields__, (None, *Header.__struct_defaults__), strict=True)
    given = ((name, getattr(report, name), default) for name, default in fields)
    return {name: value for name, value, default in given if value != default}


def parts_of(report: Report) -> list[Part]:
    """Return the sections of ``report`` by field."""
    fields = Report.__struct_fields__[len(Header.__struct_fields__) :]
    return [(name, value) for name in fields if (value := getattr(report, name)) is not None]


def sections_of(parts: Iterable[Part]) -> list[Section]:
    """Return ``parts`` as sections in the order of the wire; a cell that is ``None`` is absent."""
    found: list[Section] = []
    families: dict[str, OpenFamily] = {}
    gauges: dict[str, float] = {}
    for name, value in parts:
        if name == "families":
            families |= value
        elif name == "gauges":
            gauges |= value
        else:
            found.append(_section(name, value))
    if gauges and _HOST_GAUGES in families:
        families |= {name: OpenFamily("gauge", values=(value,)) for name, value in gauges.items()}
    elif gauges:
        columns: dict[str, tuple[float | None, ...]] = {
            name: (value,) for name, value in gauges.items()
        }
        families[_HOST_GAUGES] = OpenFamily("gauge", columns=columns)
    found += [_open_family(*item) for item in families.items()]
    return [*map(_with_absent, in_order(found))]


def _with_absent(section: Section) -> Section:
    return section._replace(absent=tuple(at for at, c in enumerate(section.cells) if c is None))


def _section(name: str, value: Any) -> Section:
    if name == "labels":
        return Section(name, {label: (text,) for label, text in value.items()}, (), ())
    kind = SECTIONS.get(name)
    if kind is None:  # a map
        return Section(name, {}, tuple(value), tuple(value.values()))
    columns = zip(kind.__struct_fields__, astuple(value), strict=True)
    if isinstance(value, Record):
        given = {column: (item,) for column, item in columns if item is not None}
    else:
        given = {column: items for column, items in columns if items is not None}
    texts = kind.__struct_fields__[: kind.label_columns]
    labels = {column: given.pop(column) for column in texts}
    return Section(name, labels, tuple(given), [c for column in given.values() for c in column])


def _open_family(name: str, family: OpenFamily) -> Section:
    cells = [cell for column in family.columns.values() for cell in column]
    values = tuple(family.columns)
    return Section(
        name,
        family.labels,
        values,
        cells if values else family.values,
        type=family.type,
        help=family.help,
    )


class ReportSplitter:
    """Splits the reports of one session into reports that fit one datagram of ``form`` each.

    It keeps its plan as ``Splitter`` does.
    """

    def __init__(self, form: Form = Form.JSON) -> None:
        self._splitter = Splitter(form)

    def split(self, header: Report, parts: Iterable[Part]) -> tuple[list[Report], list[str]]:
        """Return ``parts`` as reports, and a line for each omission.

        Each report repeats ``header``, with ``seq`` counted from that of the header. Those of a
        header without a session have no ``parts``, and are valid by themselves.
        """
        found, omitted = self._splitter.split(header_of(header), sections_of(parts))
        reports = [msgspec.json.decode(plain(*each[:2]), type=Report) for each in found]
        if header.session is None:
            reports = [replace(report, part=0, parts=None, plan=0) for report in reports]
        return reports, omitted


def split(
    header: Report, parts: Iterable[Part], form: Form = Form.JSON
) -> tuple[list[Report], list[str]]:
    """Do what ``ReportSplitter`` does with the first report of a session."""
    return ReportSplitter(form).split(header, parts)
