"""Samples to text: text format 0.0.4 or OpenMetrics 1.0, in pieces.

One family after the other is rendered over all hosts. Numbers become text in one call for
thousands of samples; the family's name and the label texts are ready before.
"""

from collections.abc import Iterator, Sequence

import orjson

from pombo_exporter.hosts.blocks import label_text
from pombo_exporter.hosts.host import Host
from pombo_exporter.metrics.family import Family, FamilyTable, MetricType
from pombo_exporter.metrics.rows import Floats
from pombo_exporter.metrics.samples import TEXT, Capture, samples
from pombo_exporter.runtime.pacing import StepClock

_CLOSING = label_text()  # the end of every label text: closing brace and space


def render(
    table: FamilyTable, capture: Capture, steps: StepClock, *, openmetrics: bool
) -> Iterator[bytes | None]:
    """Yield the exposition of the captured hosts in pieces, without the closing EOF.

    None is a checkpoint.
    """
    return _render(table, capture, steps, 0, openmetrics=openmetrics)


def render_host(
    host: Host, table: FamilyTable, capture: Capture, steps: StepClock, *, openmetrics: bool
) -> Iterator[bytes | None]:
    """Yield the exposition of one host as ``render`` does, but without the label ``instance``.

    A host that is a target of its own gets ``instance`` from its target.
    """
    length = instance_prefix_length(host)
    return _render(table, capture, steps, length, openmetrics=openmetrics)


def instance_prefix_length(host: Host) -> int:
    """Return how many bytes ``instance`` takes at the start of each label text of a host."""
    return len(host.label_text) - len(_CLOSING)


def _render(
    table: FamilyTable, capture: Capture, steps: StepClock, skip: int, *, openmetrics: bool
) -> Iterator[bytes | None]:
    """Yield the exposition; the first ``skip`` bytes of each label text are left out."""
    family: Family | None = None
    size = steps.size()
    for part in samples(table, capture, TEXT):
        if part is None:
            yield None
            continue
        if part.family is not family:
            yield (b"\n" if family else b"") + _head(part.family, openmetrics=openmetrics)
            family = part.family
        for start, stop in size.ranges(len(part.values)):
            prefix, labels = _labels(
                family.name, part.shared_label, part.labels[start:stop].tolist(), skip
            )
            yield lines(prefix, labels, part.values[start:stop])
    if family:
        yield b"\n"
    yield from capture.release()


def lines(prefix: bytes, labels: Sequence[bytes], values: Floats) -> bytes:
    """Return a line for each value, each begun with a line feed.

    ``prefix`` is a line feed, the family's name and, mostly, the opening brace; ``labels`` are
    what follows it, as ``blocks.label_text`` makes it, one for each of the values.
    """
    text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    parts = [prefix] * (3 * len(labels))
    parts[1::3] = labels
    parts[2::3] = text[1:-1].split(b",") if labels else []
    return b"".join(parts)


def _head(family: Family, *, openmetrics: bool) -> bytes:
    name, shown = family.name, str(family.type)
    if openmetrics and family.type is MetricType.COUNTER:
        name = name.removesuffix("_total")
    if openmetrics and family.type is MetricType.UNTYPED:
        shown = "unknown"
    return f"# HELP {name} {family.help}\n# TYPE {name} {shown}".encode()


def _labels(
    name: str, shared_label: tuple[str, str] | None, texts: Sequence[bytes], skip: int
) -> tuple[bytes, Sequence[bytes]]:
    """Return what precedes each sample's label text, and the label texts."""
    own = f'{shared_label[0]}="{shared_label[1]}"' if shared_label else ""
    if not skip:
        return f"\n{name}{{{own}{',' if own else ''}".encode(), texts
    rest = [text[skip:] for text in texts]  # begins with the closing brace, or a comma
    if own:
        return f"\n{name}{{{own}".encode(), rest
    labels = [b" " if text == _CLOSING else b"{" + text[1:] for text in rest]
    return f"\n{name}".encode(), labels
