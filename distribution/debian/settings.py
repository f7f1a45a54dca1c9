"""The settings in /etc/pombo: every flag of a program, with its help and its default."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import click
import yaml  # type: ignore[import-untyped]
from pombo_agent.options import COLLECTORS

#: Flags that are no settings of a service.
_OF_COMMAND: Final = frozenset({"help", "version", "config.file", "once", "format"})

_COLLECTOR: Final = "collector."
_WIDTH: Final = 100

_COLLECTORS: Final = """\
# Collectors: which are enabled, and their own settings.

"""


def render(command: click.Command, head: str) -> str:
    """Return the text of a file of settings.

    ``head`` is its beginning, with the settings that matter most; those are not repeated.
    """
    written = set(re.findall(r"^#?([a-z][a-z0-9.-]*):", head, re.MULTILINE))
    options = {
        name_of(option): option
        for option in command.params
        if isinstance(option, click.Option) and name_of(option) not in _OF_COMMAND | written
    }
    context = click.Context(command)
    lines: list[str] = []
    for name, option in options.items():
        if not name.startswith(_COLLECTOR):
            lines += [*_comment(option), _line(name, option, context), ""]
    collectors = [name for name in options if name.startswith(_COLLECTOR)]
    if collectors:
        lines += _COLLECTORS.splitlines()
    for name in collectors:
        if name.removeprefix(_COLLECTOR) not in COLLECTORS:
            lines += _comment(options[name])
        lines.append(_line(name, options[name], context))
    return head + "\n".join(lines).rstrip("\n") + "\n"


def name_of(option: click.Option) -> str:
    """Return the key of a flag in the file."""
    return option.opts[0].removeprefix("--")


def default_of(option: click.Option) -> str | int | float | None:
    """Return the default of a flag; None where it has no single one."""
    known = COLLECTORS.get(name_of(option).removeprefix(_COLLECTOR))
    if known is not None and name_of(option).startswith(_COLLECTOR):
        return known.enabled
    if option.is_flag:
        return option.default is True
    default: Any = option.default
    if option.multiple or not isinstance(default, (str, int, float)) or default == "":
        return None
    return default


def _comment(option: click.Option) -> Iterator[str]:
    text = option.help or ""
    if isinstance(option.show_default, str):
        text += f"  [default: {option.show_default}]"
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def _line(name: str, option: click.Option, context: click.Context) -> str:
    default = default_of(option)
    if default is None:
        return f"#{name}: {option.make_metavar(context)}"
    [line] = yaml.safe_dump({name: default}, width=1000).splitlines()
    return f"#{line}"
