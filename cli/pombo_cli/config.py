"""The configuration file: flags under their names, in YAML."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import click

from pombo_cli.flags import Command, flag

_NO_KEYS = frozenset({"config.file", "help", "version"})
_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset({"str", "int", "float", "bool", "timestamp", "merge", "value"})


class _Entry(NamedTuple):
    """A key of the file, its line, and the node of its value."""

    key: str
    line: int
    node: Any


class _FileError(Exception):
    """What is wrong, and in which line; 0 is the file as a whole."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def config_flag(path: str) -> Callable[[Command], Command]:
    """Return the flag ``--config.file``; ``path`` is where the file usually is.

    The file is a mapping from names of flags to values. Flags and variables override it. What is
    wrong with it is a usage error that names the file, the line, the key and the value.
    """
    return flag(
        "config.file",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read,
        help=f"YAML file with flags by their names, such as {path} with `log.level: warn`. Flags "
        "and variables override it.",
    )


def _read(ctx: click.Context, _: click.Parameter, path: str | None) -> None:
    """Let the values in the file be the defaults of their flags."""
    if path is None:
        return
    try:
        ctx.default_map = _values(ctx, path)
    except _FileError as error:
        where = f"{path}:{error.line}" if error.line else path
        raise click.UsageError(f"{where}: {error}", ctx) from None


def _values(ctx: click.Context, path: str) -> dict[str, Any]:
    """Return the values in the file by the parameters of their flags."""
    known = {name: option for option in ctx.command.params for name in _names(option)}
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for entry in _entries(_text(path)):
        key, line, _ = entry
        if key not in known:
            raise _FileError(line, f"unknown key {key!r}: {_remedy(key, known)}")
        name = str(known[key].name)
        if name in lines:
            raise _FileError(line, f"{key} is already in line {lines[name]}: remove one of them")
        lines[name] = line
        values[name] = _value(ctx, known[key], entry)
    return values


def _names(option: click.Parameter) -> Iterator[str]:
    """Yield the names of an option that may be in the file."""
    for each in option.opts if isinstance(option, click.Option) else ():
        name = each.removeprefix("--")
        if name not in _NO_KEYS:
            yield name


def _text(path: str) -> str:
    try:
        return Path(path).read_bytes().decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _FileError(line, "the file is not UTF-8: save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        remedy = "name a file that this user may read with --config.file, or leave it out"
        raise _FileError(0, f"cannot be read ({reason}): {remedy}") from None


def _entries(text: str) -> Iterator[_Entry]:
    """Yield the entries of the mapping that the text is.

    The nodes are read as they are and no object is made of them: a flag takes a text, and ``no``
    or ``007`` are what is written there.
    """
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - only where there is a file

    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _FileError(line, f"is no YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        problem = str(error.problem).removeprefix("but ")
        raise _FileError(error.problem_mark.line + 1, f"is no YAML: {problem}") from None
    except RecursionError:
        raise _FileError(0, "is no configuration: it is nested too deeply") from None
    if root is None or root.tag == f"{_TAG}null":
        return
    if not isinstance(root, yaml.MappingNode):
        remedy = "write `name: value` in each line, such as `log.level: warn`"
        raise _FileError(root.start_mark.line + 1, f"the file is no mapping: {remedy}")
    for key, value in root.value:
        line = key.start_mark.line + 1
        if key.id != "scalar":
            raise _FileError(line, "a key is no text: write the name of a flag")
        yield _Entry(str(key.value), line, value)


def _remedy(key: str, known: Mapping[str, click.Parameter]) -> str:
    negated = key.removeprefix("no-")
    if negated != key and negated in known:
        return f"write {negated}: false"
    # Keys may be grouped in YAML, names of flags are not.
    near = get_close_matches(key, known, 1) or [
        name for name in known if name.startswith(f"{key}.")
    ]
    if near:
        return f"the nearest key is {near[0]}"
    return "keys are the names of flags, which --help lists"


def _value(ctx: click.Context, option: click.Parameter, entry: _Entry) -> Any:
    """Return the value of a key for its option, once the option accepts it."""
    key, line, node = entry
    if isinstance(option, click.Option) and option.is_flag:
        return _switch(entry)
    if option.multiple:
        value: Any = tuple(_texts(option, entry))
    else:
        value = _scalar(entry, node)
    try:
        option.process_value(ctx, value)
    except click.BadParameter as error:
        raise _FileError(line, f"{key}: {error.message}") from None
    return value


def _switch(entry: _Entry) -> bool:
    text = _scalar(entry, entry.node)
    if entry.node.tag != f"{_TAG}bool":
        raise _FileError(entry.line, f"{entry.key}: {text!r} is no switch: write true or false")
    return text.lower() in {"true", "yes", "on"}


def _texts(option: click.Parameter, entry: _Entry) -> Iterator[str]:
    """Yield the values of a flag that may be repeated: a list, a mapping or a single one."""
    node = entry.node
    if node.id == "sequence":
        for item in node.value:
            yield _scalar(entry, item)
    elif node.id == "mapping" and getattr(option.type, "is_pair", False):
        for name, item in node.value:
            yield f"{_scalar(entry, name)}={_scalar(entry, item)}"
    else:
        yield _scalar(entry, node)


def _scalar(entry: _Entry, node: Any) -> str:
    """Return a single value as it is written."""
    line = node.start_mark.line + 1
    if node.id != "scalar":
        kind = "list" if node.id == "sequence" else node.id
        raise _FileError(line, f"{entry.key}: a {kind} is no value of this flag: write one text")
    if node.tag == f"{_TAG}null":
        raise _FileError(line, f"{entry.key} has no value: write one, or remove the key")
    if node.tag.removeprefix(_TAG) not in _TEXTS:
        raise _FileError(line, f"{entry.key}: remove the tag {node.tag}")
    return str(node.value)
