"""The text of ``pombo-exporter decode``: a table for each section, safe for a terminal."""

import json
from typing import Any

import pytest
from pombo_exporter.decode.contents import contents
from pombo_exporter.decode.text import text_of
from support.builders import TABLE
from support.crafted import layout_of, packed, plain


def text(datagram: bytes) -> str:
    return text_of(contents(datagram, TABLE.catalog()), len(datagram))


def test_header_labels_and_sections_are_tables() -> None:
    datagram = plain(
        session=1763953012345678901,
        seq=7,
        time=1763953112.5,
        bye=False,
        labels={"room": "attic"},
        system={"load1": 0.5, "uptime": 83},
        disks={"device": ["sda", "nvme0n1"], "read_bytes": [1, 2.5], "reads": [None, 1e20]},
    )
    assert text(datagram) == (
        f"  form     plain, {len(datagram)} bytes\n"
        "  host     pi\n"
        "  session  1763953012345678901 (2025-11-24 02:56:52 UTC)\n"
        "  seq      7\n"
        "  time     1763953112.5 (2025-11-24 02:58:32 UTC)\n"
        "\n"
        "labels\n"
        "  room  attic\n"
        "\n"
        "disks\n"
        "  device   read_bytes  reads\n"
        "  sda      1           null\n"
        "  nvme0n1  2.5         1e+20\n"
        "\n"
        "system\n"
        "  uptime  83\n"
        "  load1   0.5\n"
    )


def test_absent_and_unknown_numbers_differ() -> None:
    layout = layout_of(
        cpu={"labels": {"cpu": ["0", "1"]}, "values": ["user", "idle"], "absent": [1]}
    )
    assert text(packed(layout, b"[1,null,3]")).endswith(
        "cpu\n  cpu  user  idle\n  0    1     null\n  1    -     3\n"
    )


def test_families_have_their_type_and_help_and_unknown_sections_are_marked() -> None:
    layout = layout_of(
        **{
            "jobs_*": {"type": "counter", "help": ["Done.", ""], "values": ["done", "lost"]},
            "zfs": {"values": ["a"]},
        }
    )
    assert text(packed(layout, b"[1,2,3]")).endswith(
        "jobs_* (counter)\n  Done.\n  jobs_done  1\n  jobs_lost  2\n"
        "\n"
        "zfs (unknown to this version, ignored)\n  a  3\n"
    )


def test_fourth_line_is_shown() -> None:
    found = text(packed(b"{}", b"[]", b'{"top":[{"name":"\xe2\x80\xae","cpu":0.25}]}'))
    assert json.loads(found.partition("extra\n")[2].replace("\\u202e", "x")) == {
        "top": [{"name": "x", "cpu": 0.25}]
    }


def test_texts_of_strangers_are_escaped() -> None:
    evil = "\x1b[2J\u202e\n"
    labels = {"x": [evil, "b"]}
    family: dict[str, Any] = {"type": "gauge", "help": "\x1b[1m", "labels": labels}
    datagram = plain(host=evil, labels={"room": evil}, families={"a": family | {"values": [1, 2]}})
    found = text(datagram)
    assert all(line.isprintable() for line in found.splitlines())
    assert found.count(r"\x1b[2J\u202e\n") == 3


@pytest.mark.parametrize("session", [0, 2**63 - 1])
def test_session_of_any_size_is_shown(session: int) -> None:
    assert f"session  {session}" in text(plain(session=session, seq=1, time=1e308))
