"""A layout line: the texts of a report, section by section.

Between two reports of a host only numbers change, so the line stays the same, byte for byte. A
reader recognises a section by its bytes and reads it once. Source: docs/wire.md.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from operator import lt
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson
from msgspec import Meta, Struct

from pombo_wire.limits import (
    MAX_FAMILY_NAME,
    MAX_LABEL_COLUMNS,
    MAX_LAYOUT_ITEMS,
    MAX_SECTIONS,
    MAX_TEXT,
    RESERVED_FAMILIES,
    RESERVED_FAMILY_LABELS,
    RESERVED_FAMILY_PREFIXES,
    SECTION_ITEMS,
    label_bytes,
)
from pombo_wire.names import COLUMN, FAMILY, LABEL
from pombo_wire.reasons import DecodeError, Reason
from pombo_wire.schema import (
    MAPS,
    RESERVED_LABELS,
    SECTIONS,
    Table,
)

#: The member of a layout that has the owner's labels instead of a section.
OWN_LABELS: Final = "labels"

_MAX_OWN_LABELS: Final = 32

_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_SECTION = re.compile(rf"[a-zA-Z0-9_*]{{1,{MAX_FAMILY_NAME}}}")

# To search all names of a section at once takes a fifth of the time. What a lookahead has matched
# is never tried again with a shorter match; Python 3.10 has no atomic groups.
_LABELS, _COLUMNS, _FAMILIES = (
    re.compile(rf"{name.pattern}(?:(?=(\n{name.pattern}))\1)*") for name in (LABEL, COLUMN, FAMILY)
)
_KNOWN = frozenset({*SECTIONS, *MAPS})
_RESERVED_NAMES = _KNOWN | {*RESERVED_FAMILIES, OWN_LABELS}
_RESERVED_PREFIX = re.compile(rf"^(?:{'|'.join(RESERVED_FAMILY_PREFIXES)})", re.MULTILINE)

Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class SectionLayout(Struct, frozen=True, gc=False):
    """The texts of a section.

    ``texts`` has the text of each row in each of the ``labels``, of shape (labels, rows). Cells are
    numbered column after column: row ``r`` of column ``c`` is cell ``c * rows + r``. ``absent`` are
    the cells that have no number, ascending.

    ``type`` is that of an open family, None for other sections. ``columns`` are then full names of
    families, and ``helps`` has the HELP text of each, or nothing.
    """

    name: str
    labels: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    rows: int
    absent: tuple[int, ...]
    type: str | None = None
    helps: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many numbers the section has."""
        return len(self.columns) * self.rows - len(self.absent)

    @property
    def items(self) -> int:
        """What the section counts in the budget of a datagram."""
        return SECTION_ITEMS + self.rows + len(self.columns) + len(self.labels)

    @property
    def label_bytes(self) -> int:
        """The bytes of label texts in an exposition of the section."""
        return label_bytes(self.labels, self.texts, self.columns)


class _Member(Struct, frozen=True, gc=False):
    labels: dict[str, Annotated[tuple[Text, ...], Meta(min_length=1)]] = {}
    values: tuple[str, ...] = ()
    absent: tuple[int, ...] = ()
    type: Literal["gauge", "counter", "untyped", "histogram", "summary"] | None = None
    help: str | tuple[str, ...] = ""


_convert_all = partial(msgspec.convert, type=dict[str, _Member])


def split_members(line: bytes) -> list[bytes]:
    """Return the members of a layout line, each as the bytes of its name and its value.

    Joined with commas, in braces, they are the line again.

    Raises:
        DecodeError: when the line is no compact JSON object, or has too many members.
    """
    try:
        found = _split(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(Reason.NOT_JSON, f"layout: send one JSON object: {error}") from None
    if len(found) > MAX_SECTIONS:
        detail = f"layout: {len(found)} sections: a datagram has {MAX_SECTIONS} at most"
        raise DecodeError(Reason.TOO_LARGE, detail)
    members = [b'"%b":%b' % (name.encode(), bytes(raw)) for name, raw in found.items()]
    if join_members(members) != line:
        detail = "layout: write names once, without escapes, and no white space between sections"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    return members


def join_members(members: Iterable[bytes]) -> bytes:
    """Return the layout line that has these members."""
    return b"{" + b",".join(members) + b"}"


def read_own_labels(member: bytes) -> dict[str, str]:
    """Return the owner's labels, which the member ``labels`` has.

    Raises:
        DecodeError: when a name or text is invalid or reserved, or there are too many.
    """
    value = _load(member)[1]
    try:
        labels = msgspec.convert(value, dict[str, Text])
    except msgspec.ValidationError as error:
        raise DecodeError(Reason.INVALID_FIELD, f"labels: {error}") from None
    if len(labels) > _MAX_OWN_LABELS:
        detail = f"labels: {len(labels)} of them: a host has {_MAX_OWN_LABELS} at most"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    for name in labels:
        if not LABEL.fullmatch(name):
            detail = f"section `labels`: a label has the invalid name {name!r}"
            raise DecodeError(Reason.INVALID_FIELD, detail)
        if name in RESERVED_LABELS:
            detail = f"label `{name}` is set by Pombo or by Prometheus: choose another name"
            raise DecodeError(Reason.RESERVED_NAME, detail)
    return labels


def read_section(member: bytes) -> SectionLayout:
    """Return the section that a member of a layout describes.

    Raises:
        DecodeError: when a name is invalid, columns differ in length, or two rows are the same.
    """
    name, value = _load(member)
    try:
        return _section(name, msgspec.convert(value, _Member))
    except msgspec.ValidationError as error:
        raise DecodeError(Reason.INVALID_FIELD, f"section `{name}`: {error}") from None


def read_sections(members: Sequence[bytes]) -> Iterator[SectionLayout]:
    """Yield the section that each of several members describes, in less time than one by one.

    Raises:
        DecodeError: when ``read_section`` does.
    """
    try:
        found = _convert_all(orjson.loads(join_members(members)))
    except (orjson.JSONDecodeError, msgspec.ValidationError):
        yield from map(read_section, members)  # one of them is refused with its name
    else:
        for name, each in found.items():
            yield _section(name, each)


def _section(name: str, found: _Member) -> SectionLayout:
    labels, texts = tuple(found.labels), tuple(found.labels.values())
    rows = len(texts[0]) if texts else 1
    if SECTION_ITEMS + rows + len(found.values) + len(labels) > MAX_LAYOUT_ITEMS:
        detail = f"section `{name}`: {rows} rows and {len(found.values)} columns: split the report"
        raise DecodeError(Reason.TOO_LARGE, detail)
    if found.type is None:
        _check_names(name, found.values)
        columns = found.values
    else:
        columns = _open_families(name, found.values)
    if labels or name in _KNOWN:
        _check_rows(name, labels, texts, rows)
    cells = len(columns) * rows
    absent = found.absent
    if absent and not (absent[0] >= 0 and absent[-1] < cells and all(map(lt, absent, absent[1:]))):
        detail = f"section `{name}`: `absent` has cells from 0 to {cells - 1}, each once, ascending"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    helps = _helps(name, found.help, columns) if found.help and found.type else ()
    return SectionLayout(name, labels, texts, columns, rows, absent, found.type, helps)


def _load(member: bytes) -> tuple[str, Any]:
    """Return the name and the value of a member."""
    try:
        [found] = orjson.loads(b"{%b}" % member).items()
    except orjson.JSONDecodeError as error:
        raise DecodeError(Reason.NOT_JSON, f"layout: send valid JSON: {error}") from None
    return found  # type: ignore[no-any-return]


def _open_families(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the open families of a section."""
    before, star, after = name.partition("*")
    if not star:
        if values:
            detail = f"open family `{name}`: put `*` into its name where `values` stand"
            raise DecodeError(Reason.INVALID_FIELD, f"{detail}, or omit them")
        check_family(name)
        return (name,)
    _check_section(name)
    families = tuple(before + each + after for each in values)
    joined = "\n".join(families)
    valid = _all_match(_FAMILIES, joined, len(families)) and _RESERVED_NAMES.isdisjoint(families)
    if not valid or _RESERVED_PREFIX.search(joined):
        for family in families:
            check_family(family)
    _check_once(name, families)
    return families


def _helps(name: str, found: str | tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
    helps = (found,) if isinstance(found, str) else found
    if not any(helps):
        return ()
    if len(helps) != len(columns) or any("\n" in text or len(text) > MAX_TEXT for text in helps):
        detail = f"open family `{name}`: `help` has one line of {MAX_TEXT} characters for each name"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    return helps


def check_family(name: str) -> None:
    """Check that an open family may have this name.

    Raises:
        DecodeError: when it is no name of a metric or that of a section, or is reserved.
    """
    if not FAMILY.fullmatch(name):
        raise DecodeError(Reason.INVALID_FIELD, f"an open family has the invalid name {name!r}")
    if name in SECTIONS or name in MAPS or name == OWN_LABELS:
        detail = f"`{name}` is a section, and so no open family: choose another name"
        raise DecodeError(Reason.RESERVED_NAME, detail)
    if name in RESERVED_FAMILIES or name.startswith(RESERVED_FAMILY_PREFIXES):
        detail = f"`{name}` is a name that Prometheus or Pombo reserves: choose another"
        raise DecodeError(Reason.RESERVED_NAME, detail)


def _check_section(name: str) -> None:
    if not _SECTION.fullmatch(name):
        raise DecodeError(Reason.INVALID_FIELD, f"a section has the invalid name {name!r}")


def _check_names(section: str, columns: tuple[str, ...]) -> None:
    """Check the names of a section without a type and of its columns."""
    if section not in _KNOWN:
        _check_section(section)
    if not columns:
        return
    if not _all_match(_COLUMNS, "\n".join(columns), len(columns)):
        name = next(name for name in columns if not COLUMN.fullmatch(name))
        detail = f"section `{section}`: a column has the invalid name {name!r}"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    _check_once(section, columns)


def _check_once(section: str, columns: tuple[str, ...]) -> None:
    if len({*columns}) != len(columns):
        raise DecodeError(Reason.REPEATED_ROW, f"section `{section}`: a column is named twice")


def _all_match(pattern: re.Pattern[str], joined: str, count: int) -> bool:
    """Whether each of ``count`` names, joined by line feeds, matches."""
    return joined.count("\n") == count - 1 and pattern.fullmatch(joined) is not None


def _check_rows(
    name: str, labels: tuple[str, ...], texts: tuple[tuple[str, ...], ...], rows: int
) -> None:
    kind = SECTIONS.get(name)
    if kind is None:
        _check_labels(name, labels)
        keys = len(labels)
    else:
        if labels != kind.__struct_fields__[: kind.label_columns]:
            expected = kind.__struct_fields__[: kind.label_columns]
            detail = f"section `{name}`: its labels are {', '.join(expected) or 'none'}"
            raise DecodeError(Reason.INVALID_FIELD, detail)
        keys = kind.key_columns if issubclass(kind, Table) else 0
    if len(labels) > 1 and len({*map(len, texts)}) > 1:
        detail = f"section `{name}`: label columns differ in length: give each {rows} texts"
        raise DecodeError(Reason.UNEQUAL_COLUMNS, detail)
    if rows > 1 and not (
        keys and len({*zip(*texts[:keys], strict=True)} if keys > 1 else {*texts[0]}) == rows
    ):
        once = labels[0] if labels else name
        detail = f"section `{name}`: a row is named twice: send each {once} once"
        raise DecodeError(Reason.REPEATED_ROW, detail)


def _check_labels(name: str, labels: tuple[str, ...]) -> None:
    """Check the names of label columns of an open family, a map or an unknown section."""
    if name in MAPS and labels:
        raise DecodeError(Reason.INVALID_FIELD, f"section `{name}` has no labels")
    if len(labels) > MAX_LABEL_COLUMNS:
        detail = f"section `{name}`: a section has {MAX_LABEL_COLUMNS} label columns at most"
        raise DecodeError(Reason.TOO_LARGE, detail)
    if labels and not _all_match(_LABELS, "\n".join(labels), len(labels)):
        label = next(label for label in labels if not LABEL.fullmatch(label))
        detail = f"section `{name}`: a label has the invalid name {label!r}"
        raise DecodeError(Reason.INVALID_FIELD, detail)
    if not RESERVED_FAMILY_LABELS.isdisjoint(labels):
        label = next(label for label in labels if label in RESERVED_FAMILY_LABELS)
        detail = f"section `{name}`: label `{label}` is set by Pombo or by Prometheus"
        raise DecodeError(Reason.RESERVED_NAME, detail)
