"""The dictionary: reproducible, and what reports need so that they are short."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from random import Random

import msgspec
import pytest
from pombo_wire import MAX_DATAGRAM_BYTES, Report
from pombo_wire.forms import read_dictionary
from pombo_wire.reports import parts_of, sections_of
from pombo_wire.section import Section
from pombo_wire.splitting import Splitter

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "bench/fleets/vm.jsonl"

HEADER = {
    "host": "web-17.example.net",
    "session": 1_795_805_353_261_485_541,
    "seq": 12_345,
    "time": 1_795_805_353.262,
    "monotonic": 6_443.964081,
    "interval": 5.0,
}

#: Values that do not grow while a machine runs.
STEADY = {"boot_time", "time", "file_handles_max", "entries_limit", "load1", "load5", "load15"}


def captured() -> Iterator[list[Section]]:
    """Yield captured reports of a virtual machine, without what an agent no longer sends."""
    datagrams = map(msgspec.json.Decoder(Report).decode, CAPTURE.read_bytes().splitlines())
    for _, report in groupby(datagrams, lambda datagram: datagram.time):
        parts = [part for datagram in report for part in parts_of(datagram)]
        yield sections_of([part for part in parts if part[0] not in {"memory", "swap"}])


def after_a_year(section: Section, random: Random) -> Section:
    """Return a section whose counters are those of a year: 1.8 hours were captured."""
    rows = section.rows
    if section.name in {"interfaces", "filesystems", "timex", "collectors", "meminfo"}:
        return section
    if not section.values:  # an open family, which is constant here
        return section
    cells = [
        cell
        if cell is None or cell <= 8 or section.values[at // rows] in STEADY
        else round(cell * random.uniform(4000, 5000), 2 if cell % 1 else None)
        for at, cell in enumerate(section.cells)
    ]
    return section._replace(cells=cells)


def with_rows(section: Section, count: int) -> Section:
    """Return a section of cores with ``count`` of them."""
    (label,) = section.labels
    rows = section.rows
    cells = [column[row % rows] for column in section.columns.values() for row in range(count)]
    return section._replace(labels={label: tuple(map(str, range(count)))}, cells=cells)


def lengths(sections: list[Section]) -> list[int]:
    datagrams, omitted = Splitter().datagrams(HEADER, sections)
    assert omitted == []
    return [len(datagram) for datagram in datagrams]


def test_dictionary_is_made_of_its_text() -> None:
    script = str(ROOT / "docs/generate/dictionary.py")
    made = subprocess.run([sys.executable, script, "1"], check=True, capture_output=True).stdout
    assert made == read_dictionary(1)


def test_dictionary_is_within_the_window_with_the_longest_lines() -> None:
    assert 6_000 < len(read_dictionary(1)) < 11_000


@pytest.mark.parametrize("number", range(4))
def test_report_of_a_small_machine_is_one_datagram(number: int) -> None:
    sections = [*captured()][number]
    (length,) = lengths(sections)
    assert length <= MAX_DATAGRAM_BYTES


def test_report_of_eight_cores_after_a_year_is_two_datagrams_of_at_most_1800_bytes() -> None:
    random = Random(17)
    sections = [
        with_rows(section, 8) if section.name in {"cpu", "softnet"} else section
        for section in next(captured())
    ]
    found = lengths([after_a_year(section, random) for section in sections])
    assert len(found) == 2
    assert sum(found) <= 1800
