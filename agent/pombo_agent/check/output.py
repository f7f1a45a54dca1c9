"""What was found as text for people, and as JSON for scripts. Source: docs/check.md."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click
from pombo_cli.human import printable

from pombo_agent.check.facts import Findings, Mark, Remedy

_SIGNS = {Mark.OK: "✓", Mark.NOTE: "·", Mark.UNKNOWN: "?", Mark.WRONG: "✗"}
_ASCII = {Mark.OK: "+", Mark.NOTE: "-", Mark.UNKNOWN: "?", Mark.WRONG: "x"}
_COLORS = {Mark.OK: "green", Mark.NOTE: "cyan", Mark.UNKNOWN: "yellow", Mark.WRONG: "red"}


def as_text(all_findings: Sequence[Findings], *, width: int, plain: bool) -> str:
    """Return a line for each fact, and then what to do.

    Lines are at most ``width`` characters where that is possible. The text has colours, which
    ``click.echo`` removes where they are not shown. With ``plain`` it is ASCII but for names.
    """
    longest = max(len(fact.key) for findings in all_findings for fact in findings.facts)
    lines: list[str] = []
    for findings in all_findings:
        lines.append(click.style(printable(findings.title), bold=True))
        for fact in findings.facts:
            sign = click.style((_ASCII if plain else _SIGNS)[fact.mark], fg=_COLORS[fact.mark])
            key = f"{fact.key.replace('_', ' '):{longest}}"
            first, *rest = _wrapped(fact.text, width - longest - 6) or [""]
            lines.append(f"  {sign} {key}  {first}")
            lines += [f"    {'':{longest}}  {line}" for line in rest]
        lines.append("")
    advice = [each for findings in all_findings for each in findings.advice]
    needed = list(dict.fromkeys(each.remedy for each in advice if each.is_needed))
    others = [*dict.fromkeys(each.remedy for each in advice if each.remedy not in needed)]
    if all(findings.is_ok for findings in all_findings):
        lines += ["Nothing is wrong.", ""]
    for title, remedies in (("What to do", needed), ("What you may do", others)):
        if remedies:
            lines.append(click.style(title, bold=True))
            for number, remedy in enumerate(remedies, 1):
                lines += _remedy(remedy, f"{number}.", width)
            lines.append("")
    return "\n".join(lines[:-1])


def _remedy(remedy: Remedy, number: str, width: int) -> Iterator[str]:
    for place, line in enumerate(_wrapped(remedy.text, width - 5)):
        yield f"  {'' if place else number:2} {line}"
    for line, about in remedy.commands:
        if about:
            yield f"     {printable(about)}:"
        yield f"       {click.style(printable(line), bold=True)}"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text), max(width, 30), break_long_words=False, break_on_hyphens=False
    )


def as_json(host: Findings, servers: Sequence[Findings]) -> str:
    """Return one JSON object with the same facts."""
    return json.dumps(
        {
            "version": 1,
            "ok": host.is_ok and all(server.is_ok for server in servers),
            "host": _object(host),
            "servers": [{"server": server.title, **_object(server)} for server in servers],
        },
        indent=2,
    )


def _object(findings: Findings) -> dict[str, Any]:
    return {
        "ok": findings.is_ok,
        "facts": {
            fact.key: {"mark": fact.mark.value, "text": fact.text, **fact.values}
            for fact in findings.facts
        },
        "remedies": [
            {
                "fact": fact.key,
                "text": remedy.text,
                "commands": [command._asdict() for command in remedy.commands],
            }
            for fact, remedy in findings.advice
        ],
    }
