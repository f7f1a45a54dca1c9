"""The label texts of rows, made when an exposition needs them."""

from collections.abc import Sequence
from typing import Final

from pombo_exporter.hosts.labels import row_texts
from pombo_exporter.hosts.layouts import Section

_BETWEEN: Final = b'","'  # between two texts of an array of JSON


def row_texts_of(section: Section) -> Sequence[bytes]:
    """Return the labels of each row, each with a comma after it.

    They are kept with a section that several hosts use; only then are they booked.
    """
    found: tuple[bytes, ...] | None = section.label_texts
    if found is None:
        found = tuple(row_texts(section.labels, section.texts(), section.rows))
        if section.is_shared:
            section.label_texts = found
    return found


def label_texts(sections: Sequence[Section], hosts: Sequence[bytes]) -> list[bytes]:
    """Return the label texts of all rows of these sections.

    ``hosts`` has the label text of each section's host, which stands at the end.
    """
    found: list[bytes] = []
    waiting: list[tuple[Section, bytes]] = []  # with the same labels, each of a single host
    for section, host in zip(sections, hosts, strict=True):
        labels = section.labels
        # What labels escape, JSON escapes too, with a backslash.
        if labels and not section.is_shared and b"\\" not in section.raw:
            if waiting and waiting[-1][0].labels != labels:
                found += _joined(waiting)
                waiting = []
            waiting.append((section, host))
            continue
        if waiting:
            found += _joined(waiting)
            waiting = []
        if labels:
            found += [text + host for text in row_texts_of(section)]
        else:
            found.append(host)
    return found + _joined(waiting) if found else _joined(waiting)


def _joined(pairs: Sequence[tuple[Section, bytes]]) -> list[bytes]:
    """Return the label texts of sections with the same labels, without any backslash.

    All are joined and then split, which takes less time than to make each.
    """
    if not pairs:
        return []
    names = pairs[0][0].labels
    if len(names) == 1:
        return _joined_singles(names[0], pairs)
    columns: list[list[str]] = [[] for _ in names]
    ends: list[str] = []
    for section, host in pairs:
        for column, texts in zip(columns, section.texts(), strict=True):
            column.extend(texts)
        ends += ['",' + host.decode() + "\n"] * section.rows
    width = 2 * len(names) + 1
    parts = [""] * (width * len(ends))
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        begin = f'",{name}="' if place else f'{name}="'
        parts[2 * place :: width] = [begin] * len(ends)
        parts[2 * place + 1 :: width] = column
    parts[width - 1 :: width] = ends
    return "".join(parts)[:-1].encode().split(b"\n")  # no label has a line feed


def _joined_singles(name: str, pairs: Sequence[tuple[Section, bytes]]) -> list[bytes]:
    """Return what ``_joined`` does, of sections with one label."""
    begin = name.encode() + b'="'
    mark = b'"labels":{"%b":["' % name.encode()
    parts = []
    for section, host in pairs:
        end = b'",' + host + b"\n"
        texts = _texts_in_json(section, mark)
        if texts is None:
            texts = _BETWEEN.join(text.encode() for text in section.texts()[0])
        parts.append(begin + texts.replace(_BETWEEN, end + begin) + end)
    return b"".join(parts)[:-1].split(b"\n")


def _texts_in_json(section: Section, mark: bytes) -> bytes | None:
    """Return the texts of a section's label as they are in its JSON, without the outer quotes.

    ``mark`` is what precedes them. No text of a section without backslashes has a quotation mark.
    So if there are only those between the texts, the end of the array was found. Returns None if
    there are others: where a text begins as the array ends, or JSON has white space.
    """
    _, found, rest = section.raw.partition(mark)
    texts = rest[: rest.find(b'"]')]
    more = section.rows - 1
    if found and texts.count(_BETWEEN) == more and texts.count(b'"') == 2 * more:
        return texts
    return None
