"""The lines of the fleet: which columns fit, and how wide and how coloured each line is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.top import fleet_view
from pombo_exporter.top.bars import bar, cell
from pombo_exporter.views.schema import (
    BusiestProcess,
    ExporterStatus,
    FleetTotals,
    FullestFilesystem,
    HostStates,
    HostSummary,
)
from rich.text import Text
from support.senders import HOSTILE_NAMES
from support.summaries import reason, summary

HOSTILE = (*HOSTILE_NAMES, "\x1b]0;owned\x07", "\x9b7m", "数据库" * 60, "e" + "\u0301" * 200, "")


def host(text: str) -> HostSummary:
    """Return a host that has a text wherever a host may have one."""
    return summary(
        text,
        *(Severity.CRITICAL, [reason("disk", Severity.CRITICAL, text)]),
        labels={"note": text},
        agent_version=text,
        fullest_filesystem=FullestFilesystem(text, 0.985),
        busiest_process=BusiestProcess(text, 1.5),
        cpu_usage_ratio=0.5,
        network_receive_bytes_per_second=1e9,
        uptime_seconds=1e9,
    )


def titles(width: int) -> list[str]:
    return [column.title for column, _ in fleet_view.fitting([host("web-1.example.net")], width)]


def test_80_cells_have_what_matters_most() -> None:
    assert titles(80) == ["HOST", "SEVERITY", "CPU", "MEMORY", "DISK", "NETWORK"]


def test_each_wider_screen_has_all_columns_of_a_narrower_one() -> None:
    before: set[str] = set()
    for width in range(100, 500):
        assert before <= set(titles(width))
        before = set(titles(width))
    assert before == {column.title for column in fleet_view.COLUMNS}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [1, 20, 80, 120, 200, 400])
def test_line_of_a_hostile_host_is_as_wide_as_the_columns_and_printable(
    text: str, width: int
) -> None:
    hosts = [host(text), summary("well")]
    columns = fleet_view.fitting(hosts, width)
    wide = sum(cells + fleet_view.GAP for _, cells in columns)
    assert wide <= width + fleet_view.GAP
    lines = [
        *(fleet_view.row(each, columns, unicode=True) for each in hosts),
        fleet_view.header(columns, "CPU", up=False),
    ]
    assert [(line.cell_len, line.plain.isprintable()) for line in lines] == [(wide, True)] * 3


def style_of(line: Text, text: str) -> set[str]:
    start = line.plain.index(text)
    return {str(span.style) for span in line.spans if span.start <= start < span.end} - {""}


def test_value_that_is_a_reason_has_the_colour_of_its_severity_and_a_mark() -> None:
    sick = summary(
        *("nas", Severity.CRITICAL),
        [reason("disk", Severity.CRITICAL, "/"), reason("loss", Severity.WARNING)],
        fullest_filesystem=FullestFilesystem("/", 0.985),
        datagram_loss_ratio=0.29,
        cpu_usage_ratio=0.99,
    )
    columns = fleet_view.fitting([sick], 160)
    line = fleet_view.row(sick, columns, unicode=True)
    assert "98 %!" in line.plain
    assert style_of(line, "98 %!") == {"bold red"}
    assert style_of(line, "29 %") == {"yellow"}
    assert style_of(line, "99 %") == set()  # a busy processor is no reason
    assert style_of(line, "nas") == {"bold red"}


def test_healthy_host_has_no_colour() -> None:
    well = summary("web", cpu_usage_ratio=0.3, memory_used_ratio=0.5)
    line = fleet_view.row(well, fleet_view.fitting([well], 160), unicode=True)
    assert {str(span.style) for span in line.spans} <= {"", "dim", "on grey23"}


@given(st.floats(-1, 3) | st.none(), st.integers(1, 60), st.booleans())
def test_bar_has_its_width(share: float | None, width: int, unicode: bool) -> None:  # noqa: FBT001
    drawn = bar(share, width, unicode=unicode)
    assert drawn.cell_len == width
    assert unicode or drawn.plain.isascii()


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, "    "), (0.5, "██  "), (0.53125, "██▏ "), (1.0, "████")]
)
def test_bar_is_as_full_as_its_share(share: float, drawn: str) -> None:
    assert bar(share, 4).plain == drawn
    assert bar(share, 6, unicode=False).plain.count("|") == round(4 * share)


@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_cell_has_its_width(text: str, width: int, right: bool) -> None:  # noqa: FBT001
    found = cell(text, width, right=right)
    assert found.cell_len == width
    assert found.plain.isprintable()


def test_totals_of_a_fleet_fit_80_cells() -> None:
    sick = [reason("memory", Severity.WARNING)]
    fleet = [summary("one"), summary("two", Severity.WARNING, sick, state=State.LATE)]
    values: dict[str, Any] = dict.fromkeys(ExporterStatus.__struct_fields__)
    totals = FleetTotals(64, 32.0, 2.0**36, 2.0**35, 2.0**20, 0.0, 0.0, 412.3)
    status = ExporterStatus(**values | {"hosts": HostStates(1, 1, 0), "totals": totals})
    lines = [each.plain for each in fleet_view.summary(status, fleet, 80, unicode=True)]
    assert lines == [
        "1 live  1 late  0 down | 1 needs attention | 32.0 of 64 cores | loss 0 %",
        "memory 32.0 GiB of 64.0 GiB | in 1.0 MiB/s  out 0 B/s | 412 datagrams/s",
    ]
