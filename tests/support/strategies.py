"""Strategies of Hypothesis: reports that are valid and short enough for a datagram."""

import string
from collections.abc import Callable, Mapping
from typing import Any, Literal

from hypothesis import strategies as st
from msgspec import inspect
from pombo_wire import MAPS, SECTIONS, OpenFamily, Report, Table

_CHARACTERS = st.characters(codec="utf-8")
_WORDS = st.text(string.ascii_lowercase + string.digits + "_", max_size=8)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

#: Numbers of the schema that may not be negative, as they are in real reports or at the edges.
_TOTALS = st.floats(0, allow_nan=False, allow_infinity=False) | st.integers(0, 10**7).map(float)


def reports(*, max_sections: int = 5) -> st.SearchStrategy[Report]:
    """Return reports with some of the schema's fields."""
    return _reports(max_sections)


@st.composite
def _reports(draw: st.DrawFn, max_sections: int) -> Report:
    kind = inspect.type_info(Report)
    assert isinstance(kind, inspect.StructType)
    types = {field.name: field.type for field in kind.fields}
    optional = ["time", "monotonic", "interval", "bye", "labels", "families", *SECTIONS, *MAPS]
    chosen = draw(st.lists(st.sampled_from(optional), max_size=max_sections, unique=True))
    found: dict[str, Any] = {"host": draw(_values(types["host"]))}
    for name in chosen:
        found[name] = draw(families() if name == "families" else _values(types[name]))
    return Report(**found, **draw(_numbering()))


@st.composite
def _numbering(draw: st.DrawFn) -> dict[str, Any]:
    """Return no session, or one with or without a part."""
    numbers = st.integers(0, 2**63 - 1)
    which = draw(st.sampled_from(["none", "session", "part"]))
    if which == "none":
        return {}
    found = {"session": draw(numbers), "seq": draw(numbers)}
    if which == "part":
        parts = draw(st.integers(1, 64))
        found |= {"parts": parts, "part": draw(st.integers(0, parts - 1)), "plan": draw(numbers)}
    return found


@st.composite
def families(draw: st.DrawFn) -> dict[str, OpenFamily]:
    """Return open families with and without labels, of one column and of several."""
    found = {}
    # No generated gauge begins with `f_`, so no name is there twice.
    for name in draw(st.lists(_WORDS.map("f_{}".format), max_size=3, unique=True)):
        labels = draw(_labels())
        rows = len(next(iter(labels.values()), " "))
        cell = st.none() | _NUMBERS
        column = st.tuples(*[cell] * rows)
        kind: Literal["gauge", "counter"] = draw(st.sampled_from(["gauge", "counter"]))
        help_text = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=9)
        if draw(st.booleans()):
            columns = draw(st.dictionaries(_WORDS, column, min_size=1, max_size=3))
            helps = draw(st.just(()) | st.tuples(*[help_text.map("x{}".format)] * len(columns)))
            found[f"{name}_*_x"] = OpenFamily(kind, helps, labels, columns=columns)
        else:
            found[name] = OpenFamily(kind, draw(help_text), labels, values=draw(column))
    return found


@st.composite
def _labels(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    names = draw(st.lists(_WORDS.map("x{}".format), max_size=2, unique=True))
    texts = st.tuples(*[st.text(_CHARACTERS, max_size=6)] * len(names))
    rows = draw(st.lists(texts, min_size=1, max_size=3, unique=True))
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if names else {}


def _values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return valid values of a field."""
    return _MAKERS[type(kind)](kind)


def _texts(kind: inspect.StrType) -> st.SearchStrategy[str]:
    if kind.pattern is None:
        return st.text(_CHARACTERS, min_size=kind.min_length or 0, max_size=12)
    return _WORDS.map("x{}".format)


def _floats(kind: inspect.FloatType) -> st.SearchStrategy[float]:
    if kind.ge == 0 and kind.le is None:
        return _TOTALS
    return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)


def _records(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    fields = {field.name: _values(field.type) for field in kind.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda found: kind.cls(**found))


@st.composite
def _tables(draw: st.DrawFn, kind: inspect.StructType) -> Table:
    """Return a table whose rows differ in their keys."""
    table = kind.cls
    assert issubclass(table, Table)
    texts, rest = kind.fields[: table.label_columns], kind.fields[table.label_columns :]
    cells = [_values(_column(field.type).item_type) for field in texts]
    rows = draw(
        st.lists(
            st.tuples(*cells),
            min_size=1,
            max_size=3,
            unique_by=lambda row: row[: table.key_columns],
        )
    )
    names = [field.name for field in texts]
    found: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
    for field in rest:
        if draw(st.booleans()):
            cell = _values(_column(field.type).item_type)
            found[field.name] = draw(st.tuples(*[cell] * len(rows)))
    return table(**found)


def _column(kind: inspect.Type) -> inspect.VarTupleType:
    """Return the column that is not ``None``."""
    members = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    [found] = [member for member in members if isinstance(member, inspect.VarTupleType)]
    return found


_MAKERS: Mapping[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.NoneType: lambda _: st.none(),
    inspect.BoolType: lambda _: st.booleans(),
    inspect.FloatType: _floats,
    inspect.StrType: _texts,
    inspect.DictType: lambda kind: st.dictionaries(
        _values(kind.key_type), _values(kind.value_type), max_size=4
    ),
    inspect.UnionType: lambda kind: st.one_of([_values(member) for member in kind.types]),
    inspect.StructType: lambda kind: (
        _tables(kind) if issubclass(kind.cls, Table) else _records(kind)
    ),
}
