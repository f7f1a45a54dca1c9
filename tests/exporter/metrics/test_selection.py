"""Families by collector: each has one, and a selection has those of its collectors alone."""

from typing import Any

import pytest
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.metrics.selection import (
    KNOWN,
    REST,
    Selection,
    collector_of,
    collectors_of,
    selected,
)
from pombo_wire import (
    Collectors,
    Cpu,
    Filesystems,
    OpenFamily,
    Report,
    System,
    Temperatures,
    Textfiles,
)
from support.builders import TABLE, Exporter, Series

ABOUT_COLLECTORS = {
    "node_scrape_collector_duration_seconds",
    "node_scrape_collector_success",
    "pombo_host_collector_skipped_items_total",
}

#: The beginnings of names of families about the agent itself.
OF_AGENTS = ("pombo_agent_", "process_")

REPORT: dict[str, Any] = {
    "interval": 3600.0,
    "cpu": Cpu(("0", "1"), user=(1.0, 2.0)),
    "system": System(load1=1.0, boot_time=2.0, uptime=3.0, time=4.0, file_handles=5.0),
    "filesystems": Filesystems(("/",), ("sda",), ("ext4",), size=(6.0,), free=(7.0,)),
    "temperatures": Temperatures(("chip", "chip"), ("temp1", "temp2"), celsius=(8.0, 9.0)),
    "meminfo": {"MemTotal_bytes": 11.0},
    "vmstat": {"pgfault": 12.0},
    "gauges": {"room": 13.0},
    "textfiles": Textfiles(("a.prom",), mtime=(14.0,)),
    "families": {
        "backup_*": OpenFamily("gauge", columns={"age": (15.0,), "size": (16.0,)}),
        "node_memory_odd": OpenFamily("gauge", values=(17.0,)),
    },
    "collectors": Collectors(
        ("cpu", "meminfo", "new"), seconds=(1.0, 2.0, 3.0), success=(1.0,) * 3, skipped=(0.0,) * 3
    ),
}


def names(*collectors: str, excluded: bool = False, group_from: int = 1) -> set[str]:
    """Return the names of the samples of a selection, without those about the host itself."""
    table = selected(TABLE, Selection(frozenset(collectors), excluded))
    exporter = Exporter(table=table)
    exporter.roster = Exporter().roster
    exporter.take(Report("pi", **REPORT))
    exporter.take(Report("b", **REPORT))
    found = exporter.samples()
    lines = exporter.exposition(group_from=group_from).splitlines()
    assert len([line for line in lines if 'instance="pi"' in line]) == len(found)
    assert of_collectors(found) == {
        name for name in ("cpu", "meminfo", "new") if (name in collectors) is not excluded
    }
    about_hosts = {family.name for family in TABLE.about_hosts}
    assert about_hosts & {name for name, _ in found}
    return {name for name, _ in found} - about_hosts - ABOUT_COLLECTORS


def of_collectors(found: dict[Series, float]) -> set[str]:
    """Return the label ``collector`` of the families about collectors."""
    rows = [
        {dict(labels)["collector"] for name, labels in found if name == each}
        for each in ABOUT_COLLECTORS
    ]
    assert rows[0] == rows[1] == rows[2]
    return rows[0]


@pytest.mark.parametrize("group_from", [1, 1000])
@pytest.mark.parametrize(
    ("collectors", "expected"),
    [
        (["cpu"], {"node_cpu_seconds_total"}),
        (["loadavg"], {"node_load1", "host_load1"}),
        (
            ["stat", "filefd"],
            {
                *("node_boot_time_seconds", "host_boot_time_seconds", "host_uptime_seconds"),
                "node_filefd_allocated",
            },
        ),
        (["time"], {"node_time_seconds"}),
        (["hwmon"], {"node_hwmon_temp_celsius"}),
        (["vmstat"], {"node_vmstat_pgfault"}),
        (
            ["meminfo"],
            {"host_memory_total_bytes", "node_memory_MemTotal_bytes", "node_memory_odd"},
        ),
        (["textfile"], {"room", "node_textfile_mtime_seconds", "backup_age", "backup_size"}),
        (["timex"], set()),
    ],
)
def test_selection_has_the_families_of_its_collectors(
    collectors: list[str], expected: set[str], group_from: int
) -> None:
    assert names(*collectors, group_from=group_from) == expected


def test_selection_and_its_complement_are_everything() -> None:
    for name in ("cpu", "meminfo", "textfile"):
        one, rest = names(name), names(name, excluded=True)
        assert one & rest == set()
        assert one | rest == names(excluded=True)


def test_every_family_of_the_table_has_a_collector_that_exists() -> None:
    of_agents = {each.name for each in TABLE.families if each.name.startswith(OF_AGENTS)}
    of_hosts = {family.name for family in TABLE.about_hosts} | ABOUT_COLLECTORS | of_agents
    for family in TABLE.families:
        owners = collectors_of(family)
        assert len(owners) == (family.name not in of_hosts), family.name
        assert {*owners} <= KNOWN


@pytest.mark.parametrize("table", [TABLE, family_table(["host"]), family_table(["node"])])
def test_selecting_all_collectors_leaves_all_families(table: Any) -> None:
    every = selected(table, Selection(KNOWN))
    assert [family.name for family in every.families] == [family.name for family in table.families]
    assert every.maps == table.maps
    assert every.hidden == table.hidden


@pytest.mark.parametrize(
    ("family", "collector"),
    [
        ("node_memory_Active_bytes", "meminfo"),
        ("node_netstat_Tcp_CurrEstab", "netstat"),
        ("node_sockstat_TCP_mem", "sockstat"),
        ("node_nf_conntrack_entries", "conntrack"),
        ("node_textfile_scrape_error", REST),
        ("room_temperature_celsius", REST),
        ("node_unheard_of", REST),
    ],
)
def test_open_family_has_a_collector_by_its_name(family: str, collector: str) -> None:
    assert collector_of(family) == collector
