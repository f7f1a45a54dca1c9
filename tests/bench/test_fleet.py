"""The fleets of the benchmark: what their hosts send is valid, of the stated size, and changes."""

import re
import struct
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import NamedTuple

import msgspec
import pytest
from pombo_agent.collecting.flags import Filter
from pombo_wire import MAPS, MAX_DATAGRAM_BYTES, SECTIONS
from pombo_wire.layout import SectionLayout, read_section, split_members
from pombo_wire.reading import read
from pombo_wire.schema import Header
from support.collectors import default_excludes
from support.processes import ROOT

from bench.fleets.count import table
from bench.fleets.reports import CAPTURE, Sections, Trend, is_gauge, sections
from bench.fleets.reports import read as read_capture
from bench.fleets.shapes import SHAPES, identity
from bench.harness.fleet import KINDS, Fleet, Kind, fleet, shaped
from bench.harness.in_process import InProcessExporter

HOSTS = 40
README = ROOT / "bench" / "fleets" / "README.md"

#: A value of a host: its section, the texts that identify its row, and the name of its column.
Key = tuple[str, str, tuple[str, ...], str]


class Sent(NamedTuple):
    """What a datagram says: its header, and its sections with the numbers of each."""

    header: Header
    sections: list[tuple[SectionLayout, tuple[float, ...]]]


def sent(datagram: bytes) -> Sent:
    found = read(datagram)
    numbers = struct.unpack(f"{len(found.numbers) // 8}d", found.numbers)
    its = []
    for layout in map(read_section, split_members(found.layout)):
        its.append((layout, numbers[: layout.count]))
        numbers = numbers[layout.count :]
    assert not numbers
    return Sent(found.header, its)


@pytest.mark.parametrize("kind", KINDS)
def test_reports_are_admitted_without_a_refusal(kind: Kind) -> None:
    hosts, exporter = fleet(HOSTS, kind), InProcessExporter()
    for report in range(3):
        exporter.take(hosts.datagrams(report), report)
    assert exporter.refused == 0
    text = b"".join(exporter.exposition(2))
    assert len(re.findall(rb"^pombo_host_up\{.*\} 1$", text, re.MULTILINE)) == HOSTS
    # All datagrams of a host are of one session, in order: none is missing.
    assert set(
        re.findall(rb"^pombo_host_datagrams_lost_total\{.*\} (.*)$", text, re.MULTILINE)
    ) == {b"0"}


@pytest.mark.parametrize("kind", KINDS)
def test_reports_are_split_as_an_agent_splits_them(kind: Kind) -> None:
    hosts = fleet(HOSTS, kind)
    plans: dict[str, set[int]] = {}
    counted: dict[str, int] = {}
    for report in (*range(3), 100_000):  # after six days, numbers are longer
        for datagram in hosts.datagrams(report):
            assert len(datagram) <= MAX_DATAGRAM_BYTES
            header = sent(datagram).header
            assert header.seq == counted.get(header.host, 0)
            counted[header.host] = header.seq + 1
            plans.setdefault(header.host, set()).add(header.plan)
    assert len(plans) == HOSTS
    assert set.union(*plans.values()) <= {0, 1}  # plans are kept, or changed once


def test_numbers_in_the_readme_are_those_of_the_shapes() -> None:
    assert table() in README.read_text(encoding="utf-8")


def test_virtual_machine_has_the_sections_and_values_of_the_captured_one() -> None:
    captured = sections(read_capture(CAPTURE))
    expected = {
        (section, name): sum(name in row.trends for row in rows)
        for section, rows in captured.items()
        for row in rows
        for name in row.trends
    }
    found: dict[tuple[str, str], int] = {}
    for _, section, _, name in _values(shaped("small_vm"), 0):
        found[section, name] = found.get((section, name), 0) + 1
    assert found == expected
    made = {section for _, section, _, _ in _values(shaped("debian_vm"), 0)}
    assert made - {section for section, _ in expected} == {"containers", "container_disks"}
    changing = sum(trend.changes for trend in _trends(captured))
    assert shaped("small_vm").changing >= changing > 100


def test_plain_report_has_the_values_of_the_packed_one() -> None:
    hosts = shaped("server")
    report = msgspec.json.decode(hosts.senders[0].plain(3))
    packed = {
        (section, name): value
        for (_, section, _, name), value in _values(hosts, 3).items()
        if section in MAPS
    }
    assert packed == {
        (section, name): value
        for section in MAPS
        for name, value in report.get(section, {}).items()
    }
    assert report["cpu"]["cpu"] == [str(number) for number in range(8)]


def test_fleet_of_a_few_shapes_has_each_in_its_share() -> None:
    names = [_name(each) for each in fleet(200, "few").datagrams(0)]
    roles = [name.partition("-")[0] for name in dict.fromkeys(names)]
    shares = {"vm": 0.5, "db": 0.3, "docker": 0.15, "hv": 0.05}
    assert {role: roles.count(role) / 200 for role in shares} == shares
    assert set(roles[:4]) == {"vm", "db", "docker"}  # a few hosts are no less mixed


def test_every_host_has_an_identity_of_its_own() -> None:
    texts = [identity(number) for number in range(20_000)]
    for token in texts[0]:
        assert len({words[token] for words in texts}) == len(texts)
        assert {len(words[token]) for words in texts} == {len(token)}
    by_host = _by_host(fleet(HOSTS, "few"))
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


@pytest.mark.slow
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
        for name, pattern in default_excludes().items()
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
        for section, rows in sections(read_capture(CAPTURE)).items()
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
    return sent(datagram).header.host


def _by_host(hosts: Fleet) -> dict[str, list[Sent]]:
    found: dict[str, list[Sent]] = {}
    for datagram in map(sent, hosts.datagrams(0)):
        found.setdefault(datagram.header.host, []).append(datagram)
    return found


def _texts(host: list[Sent], section: str, field: str) -> list[str]:
    layouts = (layout for datagram in host for layout, _ in datagram.sections)
    found = [each.texts[each.labels.index(field)] for each in layouts if each.name == section]
    return list(chain.from_iterable(found))


def _trends(host: Sections) -> Iterator[Trend]:
    return (trend for rows in host.values() for row in rows for trend in row.trends.values())


def _values(hosts: Fleet, report: int) -> dict[Key, float]:
    """Return the values of a report by host, section, texts of the row, and column."""
    found: dict[Key, float] = {}
    for datagram in map(sent, hosts.datagrams(report)):
        for layout, numbers in datagram.sections:
            absent, values = {*layout.absent}, iter(numbers)
            kind = SECTIONS.get(layout.name)
            keys = getattr(kind, "key_columns", 0)
            rows = [*zip(*layout.texts[:keys], strict=True)] or [()]
            for cell in range(len(layout.columns) * layout.rows):
                if cell not in absent:
                    column, row = divmod(cell, layout.rows)
                    key = datagram.header.host, layout.name, rows[row], layout.columns[column]
                    assert key not in found
                    found[key] = next(values)
    return found
