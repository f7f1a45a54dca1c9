"""The hosts to the page: text format 0.0.4 or OpenMetrics 1.0, piece by piece.

A page is of one moment: it begins with references to all that is held, which never changes
once decoded, and reports that arrive meanwhile show on the next page. Then one family after
the other is rendered over all hosts, so that each step is a few calls over long columns: the
numbers become text in one call, and stand between the family's name and label text that was
ready before.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter

import numpy as np
import orjson

from pombo_exporter.hosts.blocks import Block, columns_of, label_text
from pombo_exporter.hosts.host import Host, State
from pombo_exporter.metrics.columns import Column, Columns, Things, gather
from pombo_exporter.metrics.family import Catalogue, Kind, OfHost, Open, Rows, Source, Summary

Values = Column | list[float]

_LABEL_TEXT, _INFO_TEXT = attrgetter("label_text"), attrgetter("info_text")
_CLOSING = label_text()  # what ends every label text

_HOSTS_A_STEP = 512  # take half a millisecond


class Held:
    """What is held at one moment, some hosts at a time; of those that are down, no section.

    Whatever takes long is done step by step.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.hosts: list[Sequence[Host]] = []
        self.sections: dict[str, list[Columns]] = defaultdict(list)

    def take(self, hosts: Sequence[Host]) -> Iterator[None]:
        """Take in what these hosts report."""
        for start in range(0, len(hosts), _HOSTS_A_STEP):
            some = hosts[start : start + _HOSTS_A_STEP]
            self.hosts.append(some)
            up = [host for host in some if host.state_at(self.now) is not State.DOWN]
            for name in {*chain.from_iterable(host.sections for host in up)}:
                having = [host for host in up if name in host.sections]
                self.sections[name] += gather(having, name, self.now).pieces()
                yield

    def release(self) -> Iterator[None]:
        """Let go of it all."""
        for pieces in self.sections.values():
            while pieces:
                pieces.pop()
                yield


def pages(
    hosts: Sequence[Host], catalogue: Catalogue, now: float, *, openmetrics: bool
) -> Iterator[bytes]:
    """Yield the page of these hosts in pieces, some of them empty, without the closing EOF.

    Between two pieces the caller may do as it likes: once the first piece that is not empty
    has come, what hosts report does not change the page any more.
    """
    return _pages(hosts, catalogue, now, 0, openmetrics=openmetrics)


def page_of(host: Host, catalogue: Catalogue, now: float, *, openmetrics: bool) -> Iterator[bytes]:
    """Yield one host's page as ``pages`` does, without ``instance``: its target has that."""
    name = len(host.label_text) - len(_CLOSING)
    return _pages([host], catalogue, now, name, openmetrics=openmetrics)


def _pages(
    hosts: Sequence[Host], catalogue: Catalogue, now: float, cut: int, *, openmetrics: bool
) -> Iterator[bytes]:
    """Yield the page; ``cut`` bytes of each label text, the host's name, are left out."""
    held = Held(now)
    yield from (b"" for _ in held.take(hosts))
    for family in catalogue.families:
        head = _head(family.name, family.help, family.kind, openmetrics=openmetrics)
        for source in family.sources:
            label = source.label if isinstance(source, Rows) else None
            for texts, values in _samples(source, held):
                text = render(*_named(family.name, label, texts, cut), values)
                yield text and head + text  # nothing, where none of these hosts has it
                head = b"" if text else head
        if not head:
            yield b"\n"
    for family_map in catalogue.maps:
        yield from _map(family_map, held, cut, openmetrics=openmetrics)
    yield from (b"" for _ in held.release())


def render(prefix: bytes, labels: Sequence[bytes], values: Values) -> bytes:
    """Return a line for each value, each begun with a line feed.

    ``prefix`` is a line feed, the family's name and, mostly, the opening brace; ``labels`` are
    what follows it, as ``blocks.label_text`` makes it, as many as there are values.
    """
    text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    parts = [prefix] * (3 * len(labels))
    parts[1::3] = labels
    parts[2::3] = text[1:-1].split(b",") if labels else []
    return b"".join(parts)


def _head(name: str, help_text: str, kind: Kind, *, openmetrics: bool) -> bytes:
    if openmetrics and kind is Kind.COUNTER:
        name = name.removesuffix("_total")
    if openmetrics and kind is Kind.UNTYPED:
        return f"# HELP {name} {help_text}\n# TYPE {name} unknown".encode()
    return f"# HELP {name} {help_text}\n# TYPE {name} {kind}".encode()


def _named(
    name: str, label: tuple[str, str] | None, texts: Sequence[bytes], cut: int
) -> tuple[bytes, Sequence[bytes]]:
    """Return what stands before each sample's labels, and the labels."""
    own = f'{label[0]}="{label[1]}"' if label else ""
    if not cut:
        return f"\n{name}{{{own}{',' if own else ''}".encode(), texts
    rest = [text[cut:] for text in texts]  # begins with the closing brace, or a comma
    if own:
        return f"\n{name}{{{own}".encode(), rest
    labels = [b" " if text == _CLOSING else b"{" + text[1:] for text in rest]
    return f"\n{name}".encode(), labels


def _samples(source: Source, held: Held) -> Iterator[tuple[list[bytes], Values]]:
    """Yield the label texts and the values of a source's samples, some at a time.

    What is not known, is no number or is beyond all numbers makes none.
    """
    if isinstance(source, OfHost):
        text = _INFO_TEXT if source.info else _LABEL_TEXT
        for hosts in held.hosts:
            said = [(text(host), source.value(host, held.now)) for host in hosts]
            known = [(label, value) for label, value in said if value is not None]
            yield [label for label, _ in known], [value for _, value in known]
        return
    for rows in held.sections.get(source.section, ()):
        match source:
            case Summary(_, derive):
                labels: Things = np.fromiter(map(_LABEL_TEXT, rows.hosts), object)
                values = derive(rows)
            case Rows(_, names, derive):
                labels = rows.labels
                values = derive(rows, *names) if derive else rows.now(names[0])
        finite = np.isfinite(values)
        if not finite.all():
            labels, values = labels[finite], values[finite]
        yield labels.tolist(), values


def _map(family: Open, held: Held, cut: int, *, openmetrics: bool) -> Iterator[bytes]:
    samples: dict[str, list[tuple[list[bytes], Column]]] = defaultdict(list)
    for rows in held.sections.get(family.section, ()):
        alike: dict[tuple[str, ...], list[Block]] = defaultdict(list)
        for block in rows.blocks:
            alike[block.texts[0]].append(block)
        for names, group in alike.items():
            labels = [block.labels[0] for block in group]
            values = columns_of(b"".join(block.current for block in group), len(names))
            for name, column in zip(names, values.T.copy(), strict=True):
                samples[name].append((labels, column))
        yield b""
    for name, parts in samples.items():
        full = family.prefix + name
        head = _head(full, family.help.format(name), family.kind, openmetrics=openmetrics)
        lines = (render(*_named(full, None, texts, cut), values) for texts, values in parts)
        yield b"".join([head, *lines, b"\n"])
