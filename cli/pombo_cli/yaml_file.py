"""YAML files that people write: values as they are written, and errors that name the line."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset({"str", "int", "float", "bool", "timestamp", "merge", "value"})


class YamlError(Exception):
    """What is wrong with a file, and in which line; 0 is the file as a whole."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line

    def in_file(self, path: object) -> str:
        """Return the error behind the file's path and the line."""
        return f"{path}:{self.line}: {self}" if self.line else f"{path}: {self}"


class Entry(NamedTuple):
    """A key, or an item of its list: the line, and the node of the value.

    No object is made of a node: ``no`` or ``007`` are what is written there. Errors never show a
    value, which may be a secret, except that of a switch.
    """

    key: str
    line: int
    node: Any

    def error(self, text: str) -> YamlError:
        """Return an error that names the key and its line."""
        return YamlError(self.line, f"{self.key}: {text}")

    @property
    def kind(self) -> str:
        """What the value is: scalar, list or mapping."""
        return "list" if self.node.id == "sequence" else str(self.node.id)

    @property
    def is_empty(self) -> bool:
        """Whether nothing, or ``null``, is written there."""
        return bool(self.node.tag == f"{_TAG}null")

    def scalar(self) -> str:
        """Return a single value as it is written.

        Raises:
            YamlError: when it is a list, a mapping, nothing, or has a tag.
        """
        line = self.node.start_mark.line + 1
        if self.node.id != "scalar":
            text = f"{self.key}: a {self.kind} is not a value for this key: write one text"
            raise YamlError(line, text)
        if self.is_empty:
            raise YamlError(line, f"{self.key} has no value: write one, or remove the key")
        if self.node.tag.removeprefix(_TAG) not in _TEXTS:
            raise YamlError(line, f"{self.key}: remove the tag {self.node.tag}")
        return str(self.node.value)

    def switch(self) -> bool:
        """Return whether true is written there.

        Raises:
            YamlError: when it is neither true nor false.
        """
        text = self.scalar()
        if self.node.tag != f"{_TAG}bool":
            raise self.error(f"{text!r} is not a switch: write true or false")
        return text.lower() in {"true", "yes", "on"}

    def items(self) -> list["Entry"]:
        """Return the items of a list, which is not empty.

        Raises:
            YamlError: when it is not a list, or has no items.
        """
        if self.node.id != "sequence" or not self.node.value:
            raise self.error(
                "this is not a list: write each item behind a hyphen, or remove the key"
            )
        return [Entry(self.key, node.start_mark.line + 1, node) for node in self.node.value]

    def entries(self, example: str) -> Iterator["Entry"]:
        """Yield the entries of a mapping, none where nothing is written.

        Raises:
            YamlError: when it is not a mapping, with a line as an ``example``.
        """
        if self.is_empty:
            return
        if self.node.id != "mapping":
            raise self.error(f"this is not a mapping: write lines such as `{example}` below it")
        yield from _of(self.node)


def file_text(path: str, flag: str) -> str:
    """Return the text of a file that ``flag`` names.

    Raises:
        YamlError: when it cannot be read, or is not UTF-8.
    """
    try:
        return decoded(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        remedy = f"name a file that this user may read with {flag}, or leave it out"
        raise YamlError(0, f"cannot be read ({reason}): {remedy}") from None


def decoded(data: bytes) -> str:
    """Return the text of a file.

    Raises:
        YamlError: when it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise YamlError(line, "the file is not UTF-8: save it as UTF-8") from None


def file_entries(text: str, example: str) -> Iterator[Entry]:
    """Yield the entries of the mapping that a file is; ``example`` is a line of such a file.

    Raises:
        YamlError: when it is not YAML, or no mapping.
    """
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - only where there is a file

    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, f"is not YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        problem = str(error.problem).removeprefix("but ")
        raise YamlError(error.problem_mark.line + 1, f"is not YAML: {problem}") from None
    except RecursionError:
        raise YamlError(0, "is not a configuration: it is nested too deeply") from None
    if root is None or root.tag == f"{_TAG}null":
        return
    if root.id != "mapping":
        remedy = f"write `name: value` in each line, such as `{example}`"
        raise YamlError(root.start_mark.line + 1, f"the file is not a mapping: {remedy}")
    yield from _of(root)


def by_key(entries: Iterable[Entry], known: Collection[str] | None = None) -> dict[str, Entry]:
    """Return the entries of a mapping by their keys; without ``known``, any keys.

    Raises:
        YamlError: when a key is unknown or there twice.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if known is not None and entry.key not in known:
            near = get_close_matches(entry.key, known, 1)
            remedy = f"the nearest key is {near[0]}" if near else f"write {', '.join(known)}"
            raise YamlError(entry.line, f"unknown key {entry.key!r}: {remedy}")
        if entry.key in found:
            before = found[entry.key].line
            text = f"{entry.key} is already in line {before}: remove one of them"
            raise YamlError(entry.line, text)
        found[entry.key] = entry
    return found


def _of(mapping: Any) -> Iterator[Entry]:
    for key, value in mapping.value:
        line = key.start_mark.line + 1
        if key.id != "scalar":
            raise YamlError(line, "a key is not text: write a name before the colon")
        yield Entry(str(key.value), line, value)
