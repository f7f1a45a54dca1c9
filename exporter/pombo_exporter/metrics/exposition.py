"""Samples to text: text format 0.0.4 or OpenMetrics 1.0, in pieces.

One family after the other is rendered over all hosts. Numbers become text in one call for
thousands of samples; the family's name and the label texts are ready before.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from math import inf
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from pombo_exporter.metrics.capture import Capture
from pombo_exporter.metrics.family import Family, FamilyTable, MetricType
from pombo_exporter.metrics.parts import can_be_whole, whole_of
from pombo_exporter.metrics.rows import Block, Floats, Objects
from pombo_exporter.metrics.samples import samples
from pombo_exporter.runtime.pacing import StepClock, StepSize

_WHOLE: Final = 2.0**63  # numbers below it fit into 64 bits
_PIECE: Final = 4096  # samples
_NARROW: Final = 512  # samples of one row; rows of fewer are made into text together


def render(
    table: FamilyTable,
    capture: Capture,
    steps: StepClock,
    *,
    openmetrics: bool,
    own: MutableMapping[str, float] | None = None,
) -> Iterator[bytes | None]:
    """Yield the exposition of the captured hosts in pieces, without the closing EOF.

    None is a checkpoint. Label texts without ``instance``, as a capture may have, get no braces
    where there are no labels, and no comma after the last.

    ``own`` are values of the exporter itself by name. Those whose family the hosts have, too, stand
    there without labels, and are removed from ``own``.
    """
    heads = _Heads(table, capture, openmetrics=openmetrics)
    family: Family | None = None
    shown = last = ""  # the names in the lines of the present family, and of the last one
    size = steps.size(_PIECE, _PIECE)
    for found in samples(table, capture, steps):
        if found is None:
            yield None
            continue
        if found.family is not family:
            family, shown = found.family, heads.name_of(found.family)
        begin = b"\n%b{" % found.family.name.encode()
        block = found.block()
        block = block._replace(begins=[begin + text for text in block.begins])
        if not capture.instance:
            block = _without_instance(block)
        for piece in _pieces(block, size):
            text = lines(*piece)
            if text and shown != last:
                value = own.pop(found.family.name, None) if own else None
                own_line = _without_labels(found.family.name, value)
                yield (b"\n" if last else b"") + heads.of(found.family) + own_line + text
                last = shown
            else:
                yield text or None
    if last:
        yield b"\n"
    yield from capture.release()


def _pieces(block: Block, size: StepSize) -> Iterator[Block]:
    """Yield a block in pieces for one step each: some of its rows, or a part of one."""
    begins, ends, values = block
    width = len(ends)
    if len(begins) > 1 and width < _NARROW and size.weight >= 2 * width:
        row = 0
        for _, stop in size.ranges(values.size):
            last = stop // width
            if last > row:
                yield Block(begins[row:last], ends, values[row:last])
                row = last
        return
    for row in range(len(begins)):
        for start, stop in size.ranges(width):
            some = ends if stop - start == width else ends[start:stop]
            yield Block(begins[row : row + 1], some, values[row : row + 1, start:stop])


def lines(begins: Sequence[bytes], ends: Objects, values: Floats) -> bytes:
    """Return a line for each finite value, each begun with a line feed.

    ``begins``, ``ends`` and ``values`` are as in ``Block``; ``begins`` have a line feed and the
    family's name before the labels. Whole numbers have no decimal point.
    """
    if not values.size:
        return b""
    greatest = float(np.abs(values).max())
    if not greatest < inf:  # NaN if one of them is
        return _finite_lines(begins, ends, values)
    numbers: NDArray[Any] = values
    if greatest < _WHOLE:
        numbers = values.astype(np.int64)
        if not (numbers == values).all():
            numbers = values
    first = numbers[0, 0]
    if first == numbers[-1, -1] and (numbers == first).all():
        text = _json(numbers[0, :1])
        texts = ends.tolist()
        return b"".join([begin + (text + begin).join(texts) + text for begin in begins])
    parts: list[bytes] = []
    for begin in begins:
        parts += [begin] * (3 * len(ends))
    parts[1::3] = ends.tolist() * len(begins)
    parts[2::3] = _json(numbers.reshape(-1)).split(b",")
    return b"".join(parts)


def _finite_lines(begins: Sequence[bytes], ends: Objects, values: Floats) -> bytes:
    """Return what ``lines`` returns for values of which some are not finite."""
    found = []
    for begin, row, finite in zip(begins, values, np.isfinite(values), strict=True):
        if finite.any():
            found.append(lines([begin], ends[finite], row[finite].reshape(1, -1)))
    return b"".join(found)


def _json(numbers: NDArray[Any]) -> bytes:
    """Return numbers, separated by commas."""
    return orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]


def _without_instance(block: Block) -> Block:
    """Return a block of label texts that lack ``instance``, without a comma before a brace.

    All ends begin with the closing brace, or none does.
    """
    begins, ends, values = block
    if not len(ends) or ends[0][:1] != b"}":
        texts = (text[:-3] + b"} " if text.endswith(b",} ") else text for text in ends)
        return Block(begins, np.fromiter(texts, object, len(ends)), values)
    if begins[0].endswith(b"{"):
        rest = np.fromiter((text[1:] for text in ends), object, len(ends))
        return Block([text[:-1] for text in begins], rest, values)
    return Block([text.removesuffix(b",") for text in begins], ends, values)


def _without_labels(name: str, value: float | None) -> bytes:
    """Return the line of a sample without labels, or nothing where it has no value."""
    if value is None:
        return b""
    return lines([b"\n" + name.encode()], np.array([b" "], object), np.array([[value]]))


class _Heads:
    """The lines HELP and TYPE of families, which depend on the names of the others."""

    def __init__(self, table: FamilyTable, capture: Capture, *, openmetrics: bool) -> None:
        self._names = frozenset(family.name for family in table.families)
        self._capture, self._openmetrics = capture, openmetrics

    def name_of(self, family: Family) -> str:
        """Return the name in the lines of a family; parts of one histogram have the same."""
        return self._named(family)[0]

    def of(self, family: Family) -> bytes:
        """Return the lines of a family."""
        name, kind = self._named(family)
        text = family.help.replace("\\", r"\\")
        if self._openmetrics:
            text = text.replace('"', r"\"")
        return f"# HELP {name} {text}\n# TYPE {name} {kind}".encode()

    def _named(self, family: Family) -> tuple[str, str]:
        """Return the name and the type of a family as these lines have them."""
        name, kind = family.name, family.type
        if kind is MetricType.GAUGE:
            return name, kind
        if self._openmetrics:
            # All samples of a histogram would have to follow each other, those of a host together.
            if kind is MetricType.COUNTER and self._allows_counter(name):
                return name.removesuffix("_total"), kind
            return name, "unknown"
        if kind in {MetricType.HISTOGRAM, MetricType.SUMMARY}:
            whole = whole_of(name, kind)
            if can_be_whole(whole, kind, self._type_of):
                return whole, kind
            return name, MetricType.UNTYPED
        return name, kind

    def _type_of(self, name: str) -> MetricType | None:
        if name in self._names:
            return MetricType.UNTYPED  # no part of a histogram or summary, whatever it is
        return self._capture.open_type(name)

    def _allows_counter(self, counter: str) -> bool:
        """Whether a family of this name may be a counter.

        OpenMetrics names a counter without ``_total``, and with ``_created`` its start. Neither
        name may be that of another family.
        """
        base = counter.removesuffix("_total")
        if base == counter:
            return False
        others = (base, f"{base}_created", f"{base}_created_total")
        return all(self._type_of(name) is None for name in others)
