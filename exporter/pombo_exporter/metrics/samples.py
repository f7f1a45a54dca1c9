"""The table of families applied to hosts: the samples of each family.

The text exposition and the JSON API both take their samples from here; they differ only in the form
of the labels.

In all shapes below, ``h`` is the number of hosts of one step, and ``n`` the number of rows.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from pombo_exporter.metrics.capture import Capture
from pombo_exporter.metrics.family import Aggregate, Family, FamilyTable, MetricType, Unit
from pombo_exporter.metrics.rows import Block, Floats, MixedRows, Objects, Rows
from pombo_exporter.runtime.pacing import StepClock

_INFO_BYTES: Final = 2**18  # of label texts of ``pombo_host_info`` in a piece

_HELP = "Open family that hosts sent."


class OfHosts(NamedTuple):
    """Samples of hosts: label texts and values, of shape (h,); NaN where there is no sample."""

    family: Family
    labels: Objects
    values: Floats

    def block(self) -> Block:
        """Return the samples with their label texts."""
        return Block((b"",), self.labels, self.values.reshape(1, -1))

    def label_sets(self) -> Iterator[dict[str, str]]:
        """Return the labels of each host but ``instance``."""
        return ({} for _ in self.labels)


class OfRows(NamedTuple):
    """Samples of rows: values of shape (n,); NaN where there is no sample.

    ``more`` are further labels, which all of them have.
    """

    family: Family
    more: tuple[tuple[str, str], ...]
    rows: Rows
    values: Floats

    def block(self) -> Block:
        """Return the samples with their label texts."""
        found = self.rows.block(self.values)
        if not self.more:
            return found
        own = "".join(f'{name}="{text}",' for name, text in self.more).encode()
        return found._replace(begins=[own + text for text in found.begins])

    def label_sets(self) -> Iterator[dict[str, str]]:
        """Return the labels of each row but ``instance``; the rows must be mixed."""
        assert isinstance(self.rows, MixedRows)
        more = dict(self.more)
        return (more | labels for labels in self.rows.label_sets)


Samples = OfHosts | OfRows


def samples(table: FamilyTable, capture: Capture, steps: StepClock) -> Iterator[Samples | None]:
    """Yield the samples of all families, those of one family together; None between steps.

    Families of the hosts themselves come first, the others by the sections that they read: their
    numbers are read once and are dropped before the next ones are read.
    """
    yield from _of_hosts(table, capture)
    for unit, names in capture.units():
        if not unit.families and not names:
            for name in unit.sections:
                capture.drop(name)
            continue
        rows: dict[str, list[Rows]] = {}
        for name in unit.sections:
            found = rows[name] = []
            for few in capture.load(name, steps):
                if few is not None:
                    found.append(few)
                yield None
            capture.drop(name)
        yield from _of_table(unit, rows)
        yield from _of_open(table, capture, names, rows)
        for found in rows.values():
            while found:
                found.pop()
                yield None


def _of_hosts(table: FamilyTable, capture: Capture) -> Iterator[Samples | None]:
    index = 0  # the row of HostValues.values, in the order of table.host_fields
    for family in table.about_hosts:
        for source in family.host_fields:
            for hosts in capture.host_values:
                values = hosts.values[index]
                if not source.info:
                    yield OfHosts(family, hosts.labels, values)
                    continue
                for start, stop in _of_few_bytes(hosts.info_labels):
                    yield OfHosts(family, hosts.info_labels[start:stop], values[start:stop])
            index += 1


def _of_few_bytes(labels: Objects) -> Iterator[tuple[int, int]]:
    """Yield ranges of label texts: those of owners' labels have up to 32 KiB each."""
    ends = np.cumsum(np.fromiter(map(len, labels), np.int64, len(labels)))
    starts = np.flatnonzero(np.diff(ends // _INFO_BYTES, prepend=-1)).tolist()
    yield from pairwise((*(starts or [0]), len(labels)))


def _of_table(unit: Unit, rows: dict[str, list[Rows]]) -> Iterator[Samples]:
    with_rates = [
        family
        for family in unit.families
        if any(source.rate_fields for source in family.row_sources)
    ]
    for family in unit.families:
        for source in family.row_sources:
            for few in rows.get(source.section, ()):
                if not source.reads(few.columns):
                    continue
                if isinstance(source, Aggregate):
                    yield OfHosts(family, few.host_labels, source.values(few))
                else:
                    yield OfRows(family, source.labels, few, source.values(few))
                if with_rates and family is with_rates[-1]:
                    few.drop_before()


def _of_open(
    table: FamilyTable, capture: Capture, names: Sequence[str], rows: dict[str, list[Rows]]
) -> Iterator[Samples | None]:
    sources: dict[str, list[tuple[Rows, str]]] = defaultdict(list)
    for found in rows.values():
        for few in found:
            for name, column in few.families:
                sources[name].append((few, column))
    if sources:
        yield None
    for name in names:
        if name not in sources:
            continue
        family = _open_family(table, name, capture.type_of(name), sources[name])
        for few, column in sources.pop(name):
            yield OfRows(family, (), few, few.last(column))


def _open_family(
    table: FamilyTable, name: str, kind: MetricType, sources: Sequence[tuple[Rows, str]]
) -> Family:
    """Return an open family, with the first HELP text that a section has of it."""
    named = table.map_of(name)
    if named and any(few.comes_from(named.section) for few, _ in sources):
        return Family(name, named.named(name.removeprefix(named.prefix)).help, kind)
    texts = (few.help_of(name) for few, _ in sources)
    return Family(name, next(filter(None, texts), _HELP), kind)
