"""docs/wire.md agrees with the schema, the bounds and the reader; its agent works."""

import json
import re
import socket
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from pombo_exporter.hosts.limits import Limits, RefusalReason
from pombo_wire import MAPS, SECTIONS, Cpu, Header, Reason, Report, Table
from pombo_wire import limits as bounds
from pombo_wire.forms import DICTIONARY, PACKED, read_dictionary
from pombo_wire.layout import read_own_labels, read_section
from pombo_wire.limits import (
    RESERVED_FAMILIES,
    RESERVED_FAMILY_LABELS,
    RESERVED_FAMILY_PREFIXES,
)
from pombo_wire.packing import pack
from pombo_wire.reading import inflate, read
from pombo_wire.schema import EXTRA, RESERVED_LABELS
from support.crafted import cells_of, read_all

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/wire.md").read_text(encoding="utf-8")
DICTIONARY_FILE = ROOT / "wire/pombo_wire/dictionaries/1.bin"

#: The sections of the schema that are maps.
REAL_MAPS = [name for name in MAPS if name != "gauges"]


def part_of(heading: str) -> str:
    """Return the text under a heading, up to the next one of its level or above."""
    _, found, rest = PAGE.partition(f"\n{heading}\n")
    assert found, f"docs/wire.md has no heading {heading}"
    level = len(heading.partition(" ")[0])
    return re.split(rf"\n#{{1,{level}}} ", rest)[0]


def section_of(name: str) -> str:
    _, heading, rest = PAGE.partition(f"\n### `{name}`")
    assert heading, f"docs/wire.md has no heading for {name}"
    return re.split(r"\n##", rest)[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("name", Header.__struct_fields__)
def test_page_has_a_row_for_each_field_of_the_header(name: str) -> None:
    assert f"\n| `{name}` |" in part_of("## The header")


def test_page_has_a_row_for_each_other_field_of_a_plain_datagram() -> None:
    others = {*Report.__struct_fields__} - {*Header.__struct_fields__, *SECTIONS, *REAL_MAPS}
    others |= EXTRA.keys()
    assert {*re.findall(r"\n\| `(\w+)` \|", part_of("## The plain form"))} == others


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, kind in SECTIONS.items() for field in kind.__struct_fields__],
)
def test_page_names_each_field_of_each_section(name: str, field: str) -> None:
    assert f"`{field}`" in section_of(name)


@pytest.mark.parametrize("name", SECTIONS)
def test_page_names_labels_in_the_order_of_a_layout(name: str) -> None:
    labels = SECTIONS[name].__struct_fields__[: SECTIONS[name].label_columns]
    text = section_of(name).partition("\n")[2]
    named = dict.fromkeys(each for each in re.findall(r"`(\w+)`", text) if each in labels)
    assert tuple(named) == labels


@pytest.mark.parametrize("name", SECTIONS)
def test_page_says_which_section_is_a_table(name: str) -> None:
    heading = section_of(name).partition("\n")[0]
    kind = "table" if issubclass(SECTIONS[name], Table) else "record"
    assert heading.startswith(f": a {kind}")


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, kind in EXTRA.items() for field in kind.__struct_fields__],
)
def test_page_has_a_row_for_each_column_of_a_table_whose_texts_change(
    name: str, field: str
) -> None:
    text = part_of("### Processes")
    assert f"`{name}`" in text
    assert f"\n| `{field}` |" in text


@pytest.mark.parametrize("name", REAL_MAPS)
def test_page_has_a_row_for_each_map(name: str) -> None:
    assert f"\n| `{name}` |" in part_of("### Maps")


@pytest.mark.parametrize("name", re.findall(r"\n### `(\w+)`", PAGE))
def test_page_names_no_other_section_or_field(name: str) -> None:
    fields = set(SECTIONS[name].__struct_fields__)
    first_cells = re.findall(r"^\| (`.*?) \|", section_of(name), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) <= fields


def test_page_has_a_row_with_a_remedy_for_each_reason() -> None:
    rows = re.findall(r"\n\| `(\w+)` \| .+? \| .+? \|", part_of("## Refusals"))
    assert rows == [*Reason, *sorted(RefusalReason, key=rows.index)]


def test_page_has_every_reserved_name() -> None:
    text = part_of("### Names that are taken")
    families, _, labels = text.partition("The labels of an open family")
    names = set(re.findall(r"`(\w+)`", families))
    assert names >= {*RESERVED_FAMILIES, *RESERVED_FAMILY_PREFIXES}
    others = names - {*RESERVED_FAMILIES, *RESERVED_FAMILY_PREFIXES}
    assert others == {"cpu", "labels", "node_load1", "node_"}
    of_families, _, of_owners = labels.partition("The owner's labels")
    assert {*re.findall(r"`(\w+)`", of_families)} == RESERVED_FAMILY_LABELS
    owners = {*re.findall(r"`(\w+)`", of_owners)} - {"reserved_name", "_"}
    assert owners | RESERVED_FAMILY_LABELS == RESERVED_LABELS


def test_page_has_the_bounds_of_the_wire() -> None:
    text = part_of("## Bounds")
    numbers = re.findall(r"\| ([\d,]+)(?: \w+)? \|\n", text)
    assert [int(number.replace(",", "")) for number in numbers] == [
        bounds.MAX_DATAGRAM_BYTES,
        bounds.MAX_INFLATED_BYTES,
        bounds.MAX_HEADER_BYTES,
        bounds.MAX_PARTS,
        bounds.MAX_SECTIONS,
        bounds.MAX_LAYOUT_ITEMS,
        bounds.MAX_LABEL_COLUMNS,
        32,
        bounds.MAX_TEXT,
        bounds.MAX_LABEL_NAME,
        bounds.MAX_FAMILY_NAME,
        bounds.MAX_PROCESSES,
        1,
    ]
    assert bounds.MAX_LABEL_NAME == bounds.MAX_COLUMN_NAME
    assert bounds.MAX_LABEL_BYTES == 2**20
    assert f"{Limits().items_per_host:,} together" in text
    assert f"**{bounds.MAX_DATAGRAM_BYTES:,} bytes**" in PAGE
    assert f"**{bounds.MAX_INFLATED_BYTES:,} bytes**" in PAGE


# ---- examples ------------------------------------------------------------------------------------

SHELL = re.findall(r"echo '(\{.*?\})' \| nc", PAGE)


@pytest.mark.parametrize("example", [*blocks("json"), *SHELL])
def test_every_example_is_a_valid_datagram(example: str) -> None:
    datagram, _, _ = read_all(example.encode())
    assert datagram.header.host == "pi"


def test_page_has_examples_of_a_script_a_report_families_and_a_bye() -> None:
    found = [json.loads(example) for example in (*blocks("json"), *SHELL)]
    for field in ("gauges", "parts", "families", "bye"):
        assert any(field in example for example in found)


def members() -> list[str]:
    """Return the members of layouts that the page has as examples."""
    inline = re.findall(r'`("[\w*]+":\{.*?\})`', PAGE)
    fenced = re.findall(r'```\n("\w+":\{"labels":\{"\w+":\[".*?)```', PAGE, re.DOTALL)
    return inline + fenced


def test_page_has_examples_of_sections_and_families() -> None:
    names = {example.partition(":")[0] for example in members()}
    expected = ("disks", "info", "vmstat", "labels", "jobs_waiting", "jobs_*_total", "*")
    assert names == {f'"{name}"' for name in expected}


@pytest.mark.parametrize("member", members())
def test_every_example_of_a_section_is_valid(member: str) -> None:
    if member.startswith('"labels"'):
        assert read_own_labels(member.encode())
        return
    section = read_section(member.strip().encode())
    if section.name == "disks":
        assert section.absent == (1, 4)
        assert section.count == 4


# ---- the worked example --------------------------------------------------------------------------


def example() -> bytes:
    [digits] = blocks("hex")
    return bytes.fromhex(digits)


def test_worked_example_is_what_the_page_says() -> None:
    text = part_of("## A worked example")
    datagram = example()
    rows = re.findall(r"\n\| `([0-9A-F …]+)` \| (.*?) \|(?=\n)", text)
    assert f"It has {len(datagram)} bytes" in text
    explained: list[str] = []
    at = 0
    for digits, meaning in rows:
        piece = re.findall(r"`(.*)`", meaning)
        whole = piece[0].encode() if "…" in digits else bytes.fromhex(digits)
        first, _, last = digits.partition(" … ")
        assert whole.startswith(bytes.fromhex(first))
        assert whole.endswith(bytes.fromhex(last))
        assert datagram[at : at + len(whole)] == whole
        at += len(whole)
        explained.append(meaning)
    assert at == len(datagram)
    assert f"{len(datagram) - 7} bytes" in " ".join(explained)
    found = read(datagram)
    assert found.header == Header("pi", session=1763953012345678901, seq=0, parts=1)
    assert cells_of(found) == {
        ("cpu.user", (("cpu", "0"),)): 12.5,
        ("cpu.user", (("cpu", "1"),)): 11.75,
        ("cpu.idle", (("cpu", "0"),)): 67.5,
    }


# ---- the agent -----------------------------------------------------------------------------------


def test_minimal_agent_sends_what_the_exporter_reads(tmp_path: Path) -> None:
    [source] = blocks("python")
    assert len(source.splitlines()) <= 20
    assert {*re.findall(r"^import (.*)$", source, re.MULTILINE)} == {
        "json, os, socket, sys, time, zlib"
    }
    script = tmp_path / "agent.py"
    script.write_text(source, encoding="utf-8")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        port = receiver.getsockname()[1]
        command = [sys.executable, str(script), str(DICTIONARY_FILE), "127.0.0.1", str(port)]
        with subprocess.Popen(command) as agent:
            try:
                datagram = receiver.recv(bounds.MAX_DATAGRAM_BYTES + 1)
            finally:
                agent.terminate()
    found, sections, _ = read_all(datagram)
    assert found.header.host == socket.gethostname()
    assert (found.header.seq, found.header.parts, found.header.interval) == (0, 1, 5)
    assert [section.name for section in sections] == ["system", "jobs_waiting"]
    cells = cells_of(found)
    assert cells["jobs_waiting", (("queue", "out"),)] == 5
    assert cells["system.load1", ()] >= 0


def test_parameters_of_the_page_are_those_of_the_agent() -> None:
    report = Report("pi", cpu=Cpu(("0", "1"), user=(1.5, 2.5), idle=(7, 8)))
    datagram = pack(report)
    compressor = zlib.compressobj(6, zlib.DEFLATED, -13, 8, zlib.Z_FILTERED, read_dictionary(1))
    stream = compressor.compress(inflate(datagram)) + compressor.flush()
    assert datagram == bytes((PACKED, DICTIONARY)) + stream
    text = part_of("### Compression")
    table: dict[str, Any] = dict(re.findall(r"\n\| ([\w ]+) \| `?(\S+?)[`:]? ", text))
    assert table == {
        "parameter": "value",
        "level": "6",
        "strategy": "Z_FILTERED",
        "window bits": "\u221213",
        "memory level": "8",
    }
    assert read_dictionary(1) == DICTIONARY_FILE.read_bytes()
