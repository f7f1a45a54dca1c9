"""The page of the manual of a program, made of its commands and flags."""

import re
from collections.abc import Iterator, Mapping

import click


def page(name: str, commands: Mapping[str, click.Command], version: str, files: str) -> str:
    """Return the page of a program, in roff.

    ``commands`` are its commands as they are called; the first is the program itself. ``files``
    are the paths of files that it uses, one in a line, each followed by a tab and what it is.
    """
    main = commands[name]
    lines = [
        f'.TH {name.upper()} 1 "" "Pombo {version}" "User Commands"',
        *(".ad l", ".nh"),  # long defaults fill lines by themselves
        *(".SH NAME", f"{_text(name)} \\- {_text(_first_sentence(main))}"),
        ".SH SYNOPSIS",
    ]
    for called, command in commands.items():
        pieces = " ".join(command.collect_usage_pieces(_context(command)))
        lines += [f".B {_text(called)}", f"{_text(pieces)}", ".br"]
    lines += [".SH DESCRIPTION", *_paragraphs(main), ".SH OPTIONS", *_options(main)]
    for called, command in commands.items():
        if command is not main:
            lines += [f".SH {called.upper()}", *_paragraphs(command), *_options(command)]
    lines.append(".SH FILES")
    for line in files.splitlines():
        path, _, what = line.partition("\t")
        lines += [".TP", f".I {_text(path)}", _text(what)]
    return "".join(f"{line}\n" for line in lines)


def _context(command: click.Command) -> click.Context:
    return click.Context(command, info_name=command.name)


def _first_sentence(command: click.Command) -> str:
    sentence = (command.help or "").partition(". ")[0].partition("\n")[0].removesuffix(".")
    return sentence[:1].lower() + sentence[1:]


def _paragraphs(command: click.Command) -> Iterator[str]:
    for paragraph in f"{command.help or ''}\n\n{command.epilog or ''}".strip().split("\n\n"):
        yield from (".PP", _text(" ".join(paragraph.split())))


def _options(command: click.Command) -> Iterator[str]:
    context = _context(command)
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is not None:
            yield from (".TP", f"\\fB{_text(record[0])}\\fR", _text(record[1]))


def _text(text: str) -> str:
    """Return a text as roff shows it unchanged."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"\s+", " ", text)
    return f"\\&{text}" if text.startswith((".", "'")) else text
