"""Hosts as CSV: every field has a column, and no text becomes a formula."""

import csv

import pytest
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.views.schema import BusiestProcess, FullestFilesystem, HostSummary
from pombo_exporter.views.spreadsheet import COLUMNS, head, lines
from support.senders import HOSTILE_NAMES
from support.summaries import reason, summary


def read(*hosts: HostSummary) -> list[dict[str, str]]:
    """Return the rows as a reader of CSV has them."""
    text = (head() + lines(hosts)).decode()
    return [*csv.DictReader(text.splitlines(keepends=True))]


def test_every_field_has_a_column() -> None:
    found = summary(
        *("web-1", Severity.WARNING, [reason("disk", Severity.WARNING, "/srv")]),
        labels={"site": "porto", "rack": "7"},
        duplicate_addresses=["192.0.2.1", "192.0.2.2"],
        cpu_usage_ratio=0.25,
        clock_offset_seconds=-1.5,
        fullest_filesystem=FullestFilesystem("/srv", 0.96),
        busiest_process=BusiestProcess("init", 0.5),
    )
    [row] = read(found)
    assert tuple(row) == COLUMNS
    known = {name: text for name, text in row.items() if text}
    assert (
        known.items()
        >= {
            "name": "web-1",
            "severity": "warning",
            "reasons": "disk /srv is bad",
            "labels": "site=porto rack=7",
            "duplicate_addresses": "192.0.2.1 192.0.2.2",
            "cpu_usage_ratio": "0.25",
            "clock_offset_seconds": "-1.5",
            "fullest_filesystem_mountpoint": "/srv",
            "fullest_filesystem_used_ratio": "0.96",
            "busiest_process_name": "init",
        }.items()
    )
    assert row["memory_used_ratio"] == ""


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", " =", "\t", "\t=", "\uff1d"])
def test_text_that_begins_like_a_formula_is_none(begin: str) -> None:
    text = f'{begin}cmd|"/c calc"!A1'
    [row] = read(summary(text, labels={"x": "1"}, agent_version=text))
    assert row["name"] == row["agent_version"] == f"'{text}"


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, 'a,"b"', "a;b", "a\r\nb,=1"])
def test_name_stays_in_its_cell(name: str) -> None:
    first, second = read(summary(name), summary("after"))
    assert first["name"] == name
    assert second["name"] == "after"
