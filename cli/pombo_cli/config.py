"""The configuration file: flags under their names, in YAML."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import click

from pombo_cli.flags import Command, flag
from pombo_cli.yaml_file import Entry, YamlError, file_entries, file_text

_NO_KEYS = frozenset({"config.file", "help", "version"})


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
        help=f"YAML file with flags by their names, such as {path} with the line "
        "`log.level: warn`. Flags and variables override it.",
    )


def _read(ctx: click.Context, _: click.Parameter, path: str | None) -> None:
    """Let the values in the file be the defaults of their flags."""
    if path is not None:
        ctx.default_map = values_in_file(ctx, path)


def values_in_file(ctx: click.Context, path: str) -> dict[str, Any]:
    """Return the values in a configuration file by the parameters of the flags of a command.

    Raises:
        click.UsageError: when the file cannot be read, or something in it is wrong.
    """
    try:
        return _values(ctx, path)
    except YamlError as error:
        raise click.UsageError(error.in_file(path), ctx) from None


def _values(ctx: click.Context, path: str) -> dict[str, Any]:
    """Return the values in the file by the parameters of their flags."""
    known = {name: option for option in ctx.command.params for name in _names(option)}
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for entry in file_entries(file_text(path, "--config.file"), "log.level: warn"):
        key, line, _ = entry
        if key not in known:
            raise YamlError(line, f"unknown key {key!r}: {_remedy(key, known)}")
        name = str(known[key].name)
        if name in lines:
            raise YamlError(line, f"{key} is already in line {lines[name]}: remove one of them")
        lines[name] = line
        values[name] = _value(ctx, known[key], entry)
    return values


def _names(option: click.Parameter) -> Iterator[str]:
    """Yield the names of an option that may be in the file."""
    for each in option.opts if isinstance(option, click.Option) else ():
        name = each.removeprefix("--")
        if name not in _NO_KEYS:
            yield name


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


def _value(ctx: click.Context, option: click.Parameter, entry: Entry) -> Any:
    """Return the value of a key for its option, once the option accepts it."""
    if isinstance(option, click.Option) and option.is_flag:
        return entry.switch()
    value: Any = tuple(_texts(option, entry)) if option.multiple else entry.scalar()
    try:
        option.process_value(ctx, value)
    except click.BadParameter as error:
        raise entry.error(error.message) from None
    return value


def _texts(option: click.Parameter, entry: Entry) -> Iterator[str]:
    """Yield the values of a flag that may be repeated: a list, a mapping or a single one."""
    node = entry.node
    if node.id == "sequence":
        for item in node.value:
            yield entry._replace(node=item).scalar()
    elif node.id == "mapping" and getattr(option.type, "is_pair", False):
        for name, item in node.value:
            pair = [entry._replace(node=each).scalar() for each in (name, item)]
            yield "=".join(pair)
    else:
        yield entry.scalar()
