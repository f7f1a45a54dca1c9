"""The table of families applied to hosts: the samples of each family.

The text exposition and the JSON API both take their samples from here; they differ only in the form
of the labels, ``TEXT`` or ``LABEL_SETS``.

Hosts are read in two phases. ``Capture.read`` collects references to what each host has, from one
snapshot; blocks never change, so afterwards reports may go on arriving. ``samples`` then computes
values, section by section, over many hosts at once.

In all shapes below, ``h`` is the number of hosts of one step, and ``n`` the number of rows or of
samples.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pombo_exporter.hosts.blocks import unpack
from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.family import (
    Aggregate,
    Family,
    FamilyTable,
    HostField,
    OpenFamily,
    PerRow,
)
from pombo_exporter.metrics.rows import Floats, Objects, Rows, SectionBlocks
from pombo_exporter.runtime.pacing import StepClock


class HostValues(NamedTuple):
    """The values of the host fields of some hosts.

    ``labels`` and ``info_labels`` are label texts, of shape (h,). ``values`` is of shape
    (fields, h), in the order of the table's ``host_fields``.
    """

    labels: Objects
    info_labels: Objects
    values: Floats


class Capture:
    """What a table of families reads of the hosts of one snapshot.

    ``host_values`` and ``sections`` have what was read, in pieces of one step. A host that is down
    has no sections. ``states`` counts all hosts of the snapshot by state, including those that
    ``include`` leaves out.
    """

    def __init__(
        self, table: FamilyTable, include: Callable[[Host, State], bool] = lambda *_: True
    ) -> None:
        self.now = 0.0
        self.states: Counter[State] = Counter()
        self.host_values: list[HostValues] = []
        self.sections: dict[str, list[Rows]] = {}
        self._fields = table.host_fields
        self._include = include

    def read(self, snapshot: Snapshot, steps: StepClock) -> Iterator[None]:
        """Read all hosts of the snapshot; yields between steps."""
        self.now = snapshot.now
        blocks: dict[str, SectionBlocks] = {}
        with snapshot:
            fields = _HostFields(self._fields, self.now)
            for host in snapshot:
                state = host.state_at(self.now)
                self.states[state] += 1
                if self._include(host, state):
                    fields.add(host)
                    if state is not State.DOWN:
                        _add(host, blocks)
                if steps.step_is_over:
                    self.host_values.append(fields.collected())
                    fields = _HostFields(self._fields, self.now)
                    yield
            self.host_values.append(fields.collected())
        for name in [*blocks]:
            found = self.sections[name] = []
            for rows in blocks.pop(name).all_rows(self.now, steps.size()):
                found.append(rows)
                yield

    def release(self) -> Iterator[None]:
        """Drop all references, a few at a time; yields between steps."""
        for pieces in self.sections.values():
            while pieces:
                pieces.pop()
                yield


class _HostFields:
    """Collects the host fields of some hosts."""

    def __init__(self, fields: Sequence[HostField], now: float) -> None:
        self._now = now
        self._labels: list[bytes] = []
        self._info_labels: list[bytes] = []
        self._values: list[tuple[HostField, list[float | None]]] = [(field, []) for field in fields]

    def add(self, host: Host) -> None:
        self._labels.append(host.label_text)
        self._info_labels.append(host.info_text)
        for field, values in self._values:
            values.append(field.value(host, self._now))

    def collected(self) -> HostValues:
        count = len(self._labels)
        values = [each for _, each in self._values]
        return HostValues(
            np.fromiter(self._labels, object, count),
            np.fromiter(self._info_labels, object, count),
            np.array(values, float).reshape(len(values), count),  # None becomes NaN
        )


def _add(host: Host, blocks: dict[str, SectionBlocks]) -> None:
    for name in host.sections:
        section = blocks.get(name)
        if section is None:
            section = blocks[name] = SectionBlocks(name)
        section.add(host)


class LabelForm(NamedTuple):
    """The form in which the labels of samples are wanted."""

    of_rows: Callable[[Rows], Objects]  # of shape (n,)
    of_hosts: Callable[[Rows], Objects]  # of shape (h,)


def _no_labels(rows: Rows) -> Objects:
    return np.fromiter(({} for _ in rows.host_labels), object, len(rows.host_labels))


#: Label texts as ``blocks.label_text`` makes them, ``instance`` first.
TEXT = LabelForm(lambda rows: rows.labels, lambda rows: rows.host_labels)

#: A dict for each sample, without ``instance``.
LABEL_SETS = LabelForm(lambda rows: rows.label_sets, _no_labels)


class Samples(NamedTuple):
    """Some samples of a family: ``labels`` and finite ``values``, both of shape (n,).

    ``shared_label`` is one more label, which all of them have; it is not in ``labels``.
    """

    family: Family
    shared_label: tuple[str, str] | None
    labels: Objects
    values: Floats


def samples(table: FamilyTable, capture: Capture, form: LabelForm) -> Iterator[Samples | None]:
    """Yield the samples of all families, those of one family together; None between steps.

    NaN and infinite values produce no sample; a family without samples yields only None.
    ``HostField`` families have label texts in either form.
    """
    index = 0  # the row of HostValues.values, in the order of table.host_fields
    for family in table.families:
        for source in family.sources:
            if isinstance(source, HostField):
                yield from _of_hosts(family, source, index, capture)
                index += 1
            else:
                yield from _of_section(family, source, capture, form)
    for open_family in table.open_families:
        yield from _of_map(open_family, capture, form)


def _of_hosts(
    family: Family, source: HostField, index: int, capture: Capture
) -> Iterator[Samples | None]:
    for hosts in capture.host_values:
        labels = hosts.info_labels if source.info else hosts.labels
        yield _finite(family, None, labels, hosts.values[index])


def _of_section(
    family: Family, source: PerRow | Aggregate, capture: Capture, form: LabelForm
) -> Iterator[Samples | None]:
    for rows in capture.sections.get(source.section, ()):
        if isinstance(source, Aggregate):
            yield _finite(family, None, form.of_hosts(rows), source.values(rows))
        else:
            yield _finite(family, source.label, form.of_rows(rows), source.values(rows))


def _of_map(family: OpenFamily, capture: Capture, form: LabelForm) -> Iterator[Samples | None]:
    found: dict[str, list[tuple[Objects, Floats]]] = defaultdict(list)
    for rows in capture.sections.get(family.section, ()):
        labels = form.of_hosts(rows)[rows.host_of_block]
        by_names: dict[tuple[str, ...], list[int]] = defaultdict(list)  # indexes of blocks
        for index, block in enumerate(rows.blocks):
            by_names[block.texts[0]].append(index)
        for names, indexes in by_names.items():
            packed = b"".join(block.last for block in rows.blocks[indexes])
            values = unpack(packed, len(names)).T.copy()
            of_blocks = labels[indexes]
            for name, column in zip(names, values, strict=True):
                found[name].append((of_blocks, column))
        yield None
    for name, parts in found.items():
        named = family.named(name)
        for of_blocks, values in parts:
            yield _finite(named, None, of_blocks, values)


def _finite(
    family: Family, shared_label: tuple[str, str] | None, labels: Objects, values: Floats
) -> Samples | None:
    finite = np.isfinite(values)
    if not finite.all():
        labels, values = labels[finite], values[finite]
    return Samples(family, shared_label, labels, values) if len(values) else None
