"""The table of families: its units, and what the roster must know of it."""

import pytest
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.family import FamilyTable, HostField, PerRow, field, gauge
from pombo_exporter.metrics.host_families import family_table
from pombo_wire import MAPS, Cpu, OpenFamily, Pressure, Report
from support.builders import TABLE, Exporter

CATALOG = TABLE.catalog()


def test_every_family_is_in_one_unit_and_every_section_too() -> None:
    families = [family.name for unit in TABLE.units for family in unit.families]
    assert sorted(families) == sorted(
        family.name for family in TABLE.families if family.row_sources
    )
    sections = [section for unit in TABLE.units for section in unit.sections]
    assert len(sections) == len({*sections})
    for unit in TABLE.units:
        for family in unit.families:
            assert {source.section for source in family.row_sources} <= unit.sections


def test_sections_that_make_the_same_families_are_in_one_unit() -> None:
    [unit] = [unit for unit in TABLE.units if "memory" in unit.sections]
    assert unit.sections == {"memory", "swap", "meminfo"}


def test_family_of_rows_and_of_the_host_itself_is_refused() -> None:
    mixed = gauge("x", "X.", field("memory", "total"), HostField(lambda *_: 1))
    with pytest.raises(ValueError, match="x reads sections and the host itself"):
        FamilyTable((mixed,), ())


def test_catalog_has_the_columns_of_which_rates_are_derived() -> None:
    assert CATALOG.rate_columns == {
        "containers": {"cpu_usage", "cfs_periods", "cfs_throttled_periods"},
        "container_disks": {"read_bytes", "written_bytes"},
        "cpu": {*derive.CPU_MODES},
        "pressure": {*Pressure.__struct_fields__},
        "disks": {"read_bytes", "written_bytes"},
        "networks": {
            *("receive_bytes", "receive_errors", "receive_drops"),
            *("transmit_bytes", "transmit_errors", "transmit_drops"),
        },
    }


@pytest.mark.parametrize(
    ("section", "columns", "expected"),
    [
        ("cpu", ["user"], 3),  # its seconds, its usage and the average
        ("cpu", ["guest"], 1),
        ("cpu", ["unheard_of"], 0),
        ("networks", ["receive_packets"], 1),
        ("networks", ["receive_errors", "receive_drops"], 3),  # two totals and one rate
        ("filesystems", ["size"], 3),  # both families of sizes; used space needs free too
        ("uname", [], 1),
        ("containers", ["page_faults"], 2),  # of the container and of its hierarchy
        ("containers", ["cpu_usage"], 1),  # its rate is of views only
        ("meminfo", ["MemTotal_bytes", "x"], 2),  # besides the open families
        ("unheard_of", ["x"], 0),
    ],
)
def test_catalog_counts_the_series_of_a_row(
    section: str, columns: list[str], expected: int
) -> None:
    assert CATALOG.series(section, columns) == expected


def test_catalog_has_the_maps_with_their_types() -> None:
    assert {*CATALOG.maps} == {*MAPS} - {"gauges"}
    assert CATALOG.maps["meminfo"] == ("node_memory_", "gauge")
    assert CATALOG.maps["vmstat"] == ("node_vmstat_", "untyped")


def test_names_of_the_table_and_those_that_openmetrics_makes_of_them_are_reserved() -> None:
    assert {"node_load1", "node_forks_total", "node_forks"} <= {*CATALOG.reserved}
    assert {"node_forks_created", "node_forks_created_total"} <= {*CATALOG.reserved}
    assert "node_load1_total" not in CATALOG.reserved


def test_without_families_of_node_exporter_memory_is_still_that_of_meminfo() -> None:
    table = family_table(["host"])
    assert table.catalog().maps == {}
    exporter = Exporter(table=table)
    exporter.take(
        Report("pi", meminfo={"MemTotal_bytes": 8.0, "MemFree_bytes": 2.0}, vmstat={"x": 1.0})
    )
    names = {name for name, _ in exporter.samples() if not name.startswith("pombo_")}
    assert names == {"host_memory_total_bytes", "host_memory_free_bytes"}
    assert exporter.host().series == 3  # used memory needs MemAvailable_bytes too


def test_without_families_of_node_exporter_open_ones_of_such_names_are_left_out() -> None:
    exporter = Exporter(table=family_table(["host"]))
    columns: dict[str, tuple[float | None, ...]] = {"node_x": (1.0,), "nodes": (2.0,)}
    exporter.take(Report("pi", families={"*": OpenFamily("gauge", columns=columns)}))
    names = {name for name, _ in exporter.samples() if not name.startswith("pombo_")}
    assert names == {"nodes"}


def test_without_families_of_the_host_vocabulary_rates_are_kept_for_the_status_page() -> None:
    table = family_table(["node"])
    assert table.catalog().rate_columns == CATALOG.rate_columns
    exporter = Exporter(table=table)
    exporter.take(
        Report("pi", cpu=Cpu(("0",), user=(1.0,)), meminfo={"MemTotal_bytes": 8.0}, gauges={"x": 1})
    )
    names = {name for name, _ in exporter.samples() if not name.startswith("pombo_")}
    assert names == {"node_cpu_seconds_total", "node_memory_MemTotal_bytes", "x"}


def test_source_that_needs_no_field_has_a_sample_for_each_row() -> None:
    assert PerRow("uname", (), derive.one).reads(())
    assert not PerRow("cpu", ("user",)).reads(())
