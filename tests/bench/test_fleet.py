"""The fleets of the benchmark: what their hosts send is valid, of the stated size, and changes."""

import re
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

import msgspec
import pytest
from pombo_agent.collectors import Filter
from pombo_agent.options import FILTERS
from pombo_wire import MAX_DATAGRAM_BYTES, SECTIONS, Report, decode
from support.processes import ROOT

from bench.fleets.count import table
from bench.fleets.reports import CAPTURE, Sections, Trend, is_gauge, read, sections
from bench.fleets.shapes import SHAPES, identity
from bench.harness.fleet import KINDS, MAX_REPORTS, Fleet, Kind, fleet, shaped
from bench.harness.in_process import InProcessExporter

HOSTS = 40
README = ROOT / "bench" / "fleets" / "README.md"


@pytest.mark.parametrize("kind", KINDS)
def test_reports_are_admitted_without_a_refusal(kind: Kind) -> None:
    hosts, exporter = fleet(HOSTS, kind), InProcessExporter()
    for report in range(3):
        exporter.take(hosts.datagrams(report), report)
    assert exporter.refused == 0
    text = b"".join(exporter.exposition(2))
    assert len(re.findall(rb"^pombo_host_up\{.*\} 1\.0$", text, re.MULTILINE)) == HOSTS
    # All datagrams of a host are of one session, in order: none is missing.
    assert set(
        re.findall(rb"^pombo_host_datagrams_lost_total\{.*\} (.*)$", text, re.MULTILINE)
    ) == {b"0.0"}


@pytest.mark.parametrize("kind", KINDS)
def test_datagrams_have_room_for_the_numbers_of_the_last_report(kind: Kind) -> None:
    for datagram in fleet(HOSTS, kind).datagrams(MAX_REPORTS - 1):
        assert len(datagram) <= MAX_DATAGRAM_BYTES
        decode(datagram)


def test_numbers_in_the_readme_are_those_of_the_shapes() -> None:
    assert table() in README.read_text(encoding="utf-8")


def test_virtual_machine_has_the_sections_and_values_of_the_captured_one() -> None:
    [captured, *_] = read(CAPTURE)
    sent = [msgspec.json.decode(each) for each in shaped("small_vm").datagrams(0)]
    assert len(sent) == len(captured)
    assert _shape(sent) == _shape(captured)
    changing = sum(trend.changes for trend in _trends(sections(read(CAPTURE))))
    assert shaped("small_vm").changing >= changing > 100


def test_fleet_of_a_few_shapes_has_each_in_its_share() -> None:
    names = [_name(each) for each in fleet(200).datagrams(0)]
    roles = [name.partition("-")[0] for name in dict.fromkeys(names)]
    shares = {"vm": 0.5, "db": 0.3, "docker": 0.15, "hv": 0.05}
    assert {role: roles.count(role) / 200 for role in shares} == shares
    assert set(roles[:4]) == {"vm", "db", "docker"}  # a few hosts are no less mixed


def test_every_host_has_an_identity_of_its_own() -> None:
    texts = [identity(number) for number in range(20_000)]
    for token in texts[0]:
        assert len({words[token] for words in texts}) == len(texts)
        assert {len(words[token]) for words in texts} == {len(token)}
    by_host = _by_host(fleet(HOSTS))
    for section, field in (
        ("uname", "nodename"),
        ("network_info", "address"),
        ("disk_info", "wwn"),
    ):
        found = [set(_texts(report, section, field)) for report in by_host.values()]
        found = [each - {"", "00:00:00:00:00:00"} for each in found]
        assert sum(map(len, found)) == len(set.union(*found)), section


def test_no_two_unlike_hosts_have_the_same_texts() -> None:
    hosts = list(_by_host(fleet(200, "unlike")).values())
    for section in ("filesystems", "networks", "interfaces", "network_info", "disk_info"):
        kind = SECTIONS[section]
        labels = kind.__struct_fields__[: kind.label_columns]
        found = [tuple(tuple(_texts(host, section, name)) for name in labels) for host in hosts]
        several = [each for each in found if len(each[0]) > 1]  # each host has lo, and a /
        assert len(several) > 150
        assert len(set(several)) == len(several), section


def test_unlike_hosts_have_the_sizes_that_the_readme_states() -> None:
    hosts = list(_by_host(fleet(400, "unlike")).values())
    bounds = {"cpu": (2, 64), "filesystems": (1, 30), "networks": (1, 20), "disks": (1, 6)}
    for section, (least, most) in bounds.items():
        label = SECTIONS[section].__struct_fields__[0]
        rows = [len(_texts(host, section, label)) for host in hosts]
        assert least <= min(rows) <= least + 1, section
        assert most - 1 <= max(rows) <= most, section


@pytest.mark.parametrize("kind", KINDS)
def test_agents_with_default_flags_would_report_every_mount_and_disk(kind: Kind) -> None:
    keeps = {
        name: Filter(exclude=re.compile(pattern)).keeps
        for name, pattern in FILTERS.items()
        if pattern
    }
    for host in _by_host(fleet(HOSTS, kind)).values():
        assert all(map(keeps["filesystem.mount-points"], _texts(host, "filesystems", "mountpoint")))
        assert all(map(keeps["filesystem.fs-types"], _texts(host, "filesystems", "fstype")))
        assert all(map(keeps["diskstats.device"], _texts(host, "disks", "device")))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_changed_in_the_captured_reports_changes_in_every_report(shape: str) -> None:
    hosts = shaped(shape, 3)
    values = [_values(hosts, report) for report in range(4)]
    changed = {
        (section, name)
        for section, rows in sections(read(CAPTURE)).items()
        for row in rows
        for name, trend in row.trends.items()
        if trend.changes
    }
    seen = set()
    for before, after in pairwise(values):
        assert before.keys() == after.keys()
        for key, value in after.items():
            if value != before[key]:
                _, section, _, name = key
                seen.add((section, name))
                assert is_gauge(section, name) or value > before[key], key
    assert changed <= seen
    assert len({*map(len, values)}) == 1
    different = {key for key in values[0] if values[0][key] != values[1][key]}
    for before, after in pairwise(values):  # the same ones, each time
        assert {key for key in before if before[key] != after[key]} == different
    assert len(different) == 3 * shaped(shape).changing


def test_hosts_of_one_shape_send_other_numbers() -> None:
    by_host: dict[str, set[object]] = {}
    for (host, *key), value in _values(shaped("server", 2), 5).items():
        by_host.setdefault(host, set()).add((*key, value))
    first, second = by_host.values()
    assert len(first - second) > shaped("server").changing * 0.8


def test_report_is_the_same_each_time_it_is_made() -> None:
    for kind in KINDS:
        assert list(fleet(5, kind).datagrams(7)) == list(fleet(5, kind).datagrams(7))


def test_value_that_shrinks_and_is_no_gauge_is_an_error() -> None:
    reports = [[{"system": {"forks": forks}}] for forks in (7, 6)]
    with pytest.raises(ValueError, match="forks of system is no counter"):
        sections(reports)


def _name(datagram: bytes) -> str:
    return decode(datagram).host


def _by_host(hosts: Fleet) -> dict[str, list[Report]]:
    found: dict[str, list[Report]] = {}
    for datagram in hosts.datagrams(0):
        report = decode(datagram)
        found.setdefault(report.host, []).append(report)
    return found


def _texts(reports: list[Report], section: str, field: str) -> list[str]:
    parts = (getattr(getattr(report, section), field, ()) for report in reports)
    return list(chain.from_iterable([part] if isinstance(part, str) else part for part in parts))


def _trends(host: Sections) -> Iterator[Trend]:
    return (trend for rows in host.values() for row in rows for trend in row.trends.values())


def _values(hosts: Fleet, report: int) -> dict[tuple[str, str, tuple[str, ...], str], float]:
    """Return the values of a report, by host, section, texts of the row, and name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for datagram in hosts.datagrams(report):
        fields = msgspec.json.decode(datagram)
        found.setdefault(fields["host"], []).append(fields)
    return {
        (host, section, row.texts, name): trend.first
        for host, datagrams in found.items()
        for section, rows in sections([datagrams]).items()
        for row in rows
        for name, trend in row.trends.items()
    }


def _shape(datagrams: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the names of each section's fields, and how many rows these have."""
    found: dict[str, list[str]] = {}
    for datagram in datagrams:
        for section, fields in datagram.items():
            if isinstance(fields, dict):
                found.setdefault(section, []).extend(
                    f"{name}: {len(value) if isinstance(value, list) else 1}"
                    for name, value in fields.items()
                )
    return {section: sorted(fields) for section, fields in found.items()}
