"""How a check prints what it has found."""

import json
import re

from pombo_agent.check.facts import Command, Findings, Remedy
from pombo_agent.check.output import as_json, as_text


def findings() -> tuple[Findings, Findings]:
    host, server = Findings("This host"), Findings("a:5005")
    host.ok("name", "pi, from the key", name="pi")
    remedy = Remedy("Open the port.", (Command("sudo ufw allow 5005/udp", "ufw"),))
    server.wrong("answer", "no answer", remedy, reason=None)
    server.note("reports", "hostile \x1b[31m name", remedy)
    server.unknown("round_trip", "unknown")
    return host, server


def plain(text: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", text)


def test_each_fact_is_one_line_with_a_mark_and_each_remedy_is_there_once() -> None:
    text = plain(as_text(findings(), width=80, plain=False))
    assert text.splitlines() == [
        "This host",
        "  ✓ name        pi, from the key",
        "",
        "a:5005",
        "  ✗ answer      no answer",
        "  · reports     hostile \\x1b[31m name",
        "  ? round trip  unknown",
        "",
        "What to do",
        "  1. Open the port.",
        "     ufw:",
        "       sudo ufw allow 5005/udp",
    ]


def test_marks_are_ascii_where_the_output_is() -> None:
    assert as_text(findings(), width=80, plain=True).isascii()


def test_long_texts_are_wrapped_below_each_other() -> None:
    host = Findings("This host")
    host.ok("name", "word " * 30)
    lines = plain(as_text([host], width=60, plain=False)).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[2].startswith(" " * 10 + "word")
    assert lines[-1] == "Nothing is wrong."


def test_advice_about_no_fault_comes_last() -> None:
    host, server = findings()
    host.note("sees", "a container", Remedy("Start it otherwise."))
    lines = plain(as_text([host, server], width=80, plain=False)).splitlines()
    assert lines[-3:] == ["", "What you may do", "  1. Start it otherwise."]
    assert plain(as_text([host], width=80, plain=False)).splitlines()[-4:] == [
        "Nothing is wrong.",
        "",
        "What you may do",
        "  1. Start it otherwise.",
    ]


def test_json_has_the_same_facts_by_their_keys() -> None:
    host, server = findings()
    found = json.loads(as_json(host, [server]))
    assert (found["version"], found["ok"]) == (1, False)
    assert found["host"] == {
        "ok": True,
        "facts": {"name": {"mark": "ok", "text": "pi, from the key", "name": "pi"}},
        "remedies": [],
    }
    [shown] = found["servers"]
    assert (shown["server"], shown["ok"]) == ("a:5005", False)
    assert shown["facts"]["answer"] == {"mark": "wrong", "text": "no answer", "reason": None}
    command = {"line": "sudo ufw allow 5005/udp", "about": "ufw"}
    assert shown["remedies"] == [
        {"fact": fact, "text": "Open the port.", "commands": [command]}
        for fact in ("answer", "reports")
    ]


def test_what_is_unknown_is_no_fault() -> None:
    server = Findings("a:5005")
    server.unknown("datagrams", "unknown")
    server.note("reports", "none")
    assert server.is_ok
    assert json.loads(as_json(Findings("This host"), [server]))["ok"]
