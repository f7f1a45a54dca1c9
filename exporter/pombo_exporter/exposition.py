"""The hosts to the page: text format 0.0.4 or OpenMetrics 1.0, piece by piece.

A page is of one moment: it begins with references to all that is held, which never changes
once decoded, and reports that arrive meanwhile show on the next page. Then one family after
the other is rendered over all hosts, so that each step is a few calls over long columns: the
numbers become text in one call, and stand between the family's name and label text that was
ready before.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, product
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from pombo_exporter.blocks import Block, columns_of, label_text
from pombo_exporter.catalogue import Catalogue, Kind, OfHost, Open, Rows, Source, Summary
from pombo_exporter.columns import Column, Columns, gather
from pombo_exporter.host import Host, State

Values = Column | list[Any]

_LABEL_TEXT, _INFO_TEXT = attrgetter("label_text"), attrgetter("info_text")
_CLOSING = label_text()  # what ends every label text

HOSTS_A_PIECE = 128  # a piece takes half a millisecond or less, two on a slow machine


class Piece(NamedTuple):
    """What is held of some hosts at one moment: sections of those that are not down."""

    hosts: Sequence[Host]
    now: float
    sections: dict[str, Columns]


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
    pieces = []
    for start in range(0, len(hosts), HOSTS_A_PIECE):
        some = hosts[start : start + HOSTS_A_PIECE]
        pieces.append(Piece(some, now, {}))
        up = [host for host in some if host.state_at(now) is not State.DOWN]
        for name in {*chain.from_iterable(host.sections for host in up)}:
            having = [host for host in up if name in host.sections]
            pieces[-1].sections[name] = gather(having, name, now)
            yield b""
    for family in catalogue.families:
        head = _head(family.name, family.help, family.kind, openmetrics=openmetrics)
        for piece, source in product(pieces, family.sources):
            text = _lines(family.name, source, piece, cut)
            yield text and head + text  # nothing, where none of these hosts has it
            head = b"" if text else head
        if not head:
            yield b"\n"
    for family_map in catalogue.maps:
        yield from _map(family_map, pieces, cut, openmetrics=openmetrics)
    while pieces:  # to let go of all at once would take a while too
        pieces.pop()
        yield b""


def render(prefix: bytes, labels: Sequence[bytes], values: Values) -> bytes:
    """Return a line for each value, each begun with a line feed.

    None makes no line, nor does what is no number or beyond all numbers.

    ``prefix`` is a line feed, the family's name and, mostly, the opening brace; ``labels`` are
    what follows it, as ``blocks.label_text`` makes it, as many as there are values.
    """
    text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    numbers = text[1:-1].split(b",") if len(text) > 2 else []
    if b"n" in text:  # as in null, and in no number
        known = [pair for pair in zip(labels, numbers, strict=True) if pair[1] != b"null"]
        labels, numbers = [pair[0] for pair in known], [pair[1] for pair in known]
    parts = [prefix] * (3 * len(numbers))
    parts[1::3] = labels
    parts[2::3] = numbers
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


def _lines(name: str, source: Source, piece: Piece, cut: int) -> bytes:
    """Return the lines of a source of the family of that name."""
    texts: Sequence[bytes]
    values: Values
    label: tuple[str, str] | None = None
    if isinstance(source, OfHost):
        text = _INFO_TEXT if source.info else _LABEL_TEXT
        texts = [*map(text, piece.hosts)]
        values = [source.value(host, piece.now) for host in piece.hosts]
    elif source.section not in piece.sections:
        return b""
    else:
        rows = piece.sections[source.section]
        match source:
            case Summary(_, derive):
                texts, values = [*map(_LABEL_TEXT, rows.hosts)], derive(rows)
            case Rows(_, names, derive, label):
                texts = rows.labels.tolist()
                values = derive(rows, *names) if derive else rows.now(names[0])
    prefix, labels = _named(name, label, texts, cut)
    return render(prefix, labels, values)


def _map(family: Open, pieces: Sequence[Piece], cut: int, *, openmetrics: bool) -> Iterator[bytes]:
    samples: dict[str, list[tuple[list[bytes], Column]]] = defaultdict(list)
    for rows in [p.sections[family.section] for p in pieces if family.section in p.sections]:
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
