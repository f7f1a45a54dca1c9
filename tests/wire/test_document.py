"""docs/wire.md agrees with the schema."""

import re
from pathlib import Path

import pytest
from pombo_exporter.hosts.roster import RefusalReason
from pombo_wire import MAPS, MAX_DATAGRAM_BYTES, SECTIONS, Reason, Report, decode
from pombo_wire.schema import MAX_ROWS, RESERVED_GAUGE_PREFIXES, RESERVED_GAUGES, RESERVED_LABELS

PAGE = (Path(__file__).parents[2] / "docs/wire.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```|echo '(.*?)'", PAGE, re.DOTALL)
OF_REPORT = PAGE.partition("## The report\n")[2].partition("\n### ")[0]


def section_of(name: str) -> str:
    _, heading, rest = PAGE.partition(f"\n### `{name}`")
    assert heading, f"docs/wire.md has no heading for {name}"
    return re.split(r"\n##", rest)[0]


@pytest.mark.parametrize(
    "name", sorted({*Report.__struct_fields__} - {*SECTIONS, *MAPS} | {"gauges"})
)
def test_page_has_a_row_for_each_field_of_the_report(name: str) -> None:
    assert f"\n| `{name}` |" in OF_REPORT


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, kind in SECTIONS.items() for field in kind.__struct_fields__],
)
def test_page_names_each_field_of_each_section(name: str, field: str) -> None:
    assert f"`{field}`" in section_of(name)


@pytest.mark.parametrize("name", [name for name in MAPS if name != "gauges"])
def test_page_has_a_row_for_each_map(name: str) -> None:
    assert f"\n| `{name}` |" in PAGE.partition("\n### Maps\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", re.findall(r"\n### `(\w+)`", PAGE))
def test_page_names_no_other_section_or_field(name: str) -> None:
    fields = set(SECTIONS[name].__struct_fields__)
    first_cells = re.findall(r"^\| (`.*?) \|", section_of(name), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) <= fields


@pytest.mark.parametrize("reason", [*Reason, *RefusalReason])
def test_page_has_a_row_for_each_reason(reason: str) -> None:
    assert f"\n| `{reason}` |" in PAGE.partition("## Refusals")[2]


def test_page_has_every_reserved_name() -> None:
    names = PAGE.partition("### Names that are taken")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(\w+)`", names)) - {"reserved_name"}
    assert listed == {*RESERVED_GAUGES, *RESERVED_GAUGE_PREFIXES, *RESERVED_LABELS}


def test_page_has_the_bounds_of_the_schema() -> None:
    assert f"{MAX_DATAGRAM_BYTES:,} bytes" in PAGE
    assert f"1 to {MAX_ROWS:,} values" in PAGE


@pytest.mark.parametrize("example", [block or line for block, line in EXAMPLES])
def test_every_example_is_a_valid_datagram(example: str) -> None:
    assert decode(example.encode()).host == "pi"


def test_page_has_examples_of_a_first_report_a_split_report_and_a_bye() -> None:
    reports = [decode((block or line).encode()) for block, line in EXAMPLES]
    assert any(report.session is None for report in reports)
    assert any(report.bye for report in reports)
    assert sum(report.disks is not None for report in reports) == 2
