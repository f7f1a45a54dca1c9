"""The flags of collectors: how a collector declares them, and their values."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple


class Filter(NamedTuple):
    """Keeps the names that ``include`` matches and ``exclude`` does not; ``None`` is no limit."""

    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None

    def keeps(self, name: str) -> bool:
        """Return whether ``name`` is reported."""
        if self.include and not self.include.search(name):
            return False
        return not (self.exclude and self.exclude.search(name))


class Kind(Enum):
    """What a flag takes."""

    FILTER = "filter"
    NUMBER = "number"
    PATTERN = "pattern"
    SWITCH = "switch"
    TEXT = "text"
    TEXTS = "texts"


class Flag(NamedTuple):
    """A flag ``--collector.COLLECTOR.NAME``, or the two of a filter.

    ``alias`` is another name of it, whole but for the end of a filter's. A number is from 1 to
    ``most``.
    """

    name: str
    kind: Kind
    default: Any
    help: str = ""
    alias: str = ""
    most: int = 0


def filtered(name: str, exclude: str | None = None, alias: str = "") -> Flag:
    """Declare ``NAME-include`` and ``NAME-exclude``, of which one may be given."""
    return Flag(name, Kind.FILTER, exclude, alias=alias)


def number(name: str, default: int, most: int, text: str) -> Flag:
    """Declare a flag that takes a whole number from 1 to ``most``."""
    return Flag(name, Kind.NUMBER, default, text, most=most)


def pattern(name: str, default: str, text: str) -> Flag:
    """Declare a flag that takes a regular expression."""
    return Flag(name, Kind.PATTERN, default, text)


def switch(name: str, text: str, *, default: bool = False) -> Flag:
    """Declare ``NAME`` and ``no-NAME``."""
    return Flag(name, Kind.SWITCH, default, text)


def text(name: str, default: str, text: str) -> Flag:
    """Declare a flag that takes a text."""
    return Flag(name, Kind.TEXT, default, text)


def texts(name: str, text: str) -> Flag:
    """Declare a flag that takes a text and may be repeated."""
    return Flag(name, Kind.TEXTS, (), text)


class Flags:
    """The values of the flags of one collector, by the names that it declares."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def filter(self, name: str) -> Filter:
        """Return the value of a flag that is declared by ``filtered``."""
        found: Filter = self.values[name]
        return found

    def number(self, name: str) -> int:
        """Return the value of a flag that is declared by ``number``."""
        found: int = self.values[name]
        return found

    def pattern(self, name: str) -> re.Pattern[str]:
        """Return the value of a flag that is declared by ``pattern``."""
        found: re.Pattern[str] = self.values[name]
        return found

    def switch(self, name: str) -> bool:
        """Return the value of a flag that is declared by ``switch``."""
        found: bool = self.values[name]
        return found

    def text(self, name: str) -> str:
        """Return the value of a flag that is declared by ``text``."""
        found: str = self.values[name]
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the values of a flag that is declared by ``texts``."""
        found: tuple[str, ...] = self.values[name]
        return found


def default_of(flag: Flag) -> Any:
    """Return the value of a flag that is not given."""
    if flag.kind is Kind.FILTER:
        return Filter(exclude=re.compile(flag.default) if flag.default else None)
    return re.compile(flag.default) if flag.kind is Kind.PATTERN else flag.default


def to_json(value: Any) -> Any:
    """Return the value of a flag as what JSON can contain."""
    if isinstance(value, Filter):
        return {"filter": [each and each.pattern for each in value]}
    return {"pattern": value.pattern} if isinstance(value, re.Pattern) else value


def from_json(value: Any) -> Any:
    """Return the value of which ``to_json`` made ``value``."""
    if isinstance(value, dict):
        if "pattern" in value:
            return re.compile(value["pattern"])
        return Filter(*(each and re.compile(each) for each in value["filter"]))
    return tuple(value) if isinstance(value, list) else value
