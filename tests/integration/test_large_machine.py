"""A machine with many of everything: all of it is on the page, with the limits by default."""

from collections.abc import Iterable

import pytest
from support.machines import Machine
from support.pages import Page, wait_until
from support.processes import Exporter, Launcher

LARGE = Machine(cores=256, filesystems=200, interfaces=100, cgroups=400)

#: Families of the machine with a sample for each thing of a kind: the label that names the thing.
FAMILIES = {
    "node_cpu_seconds_total": "cpu",
    "node_softnet_processed_total": "cpu",
    "node_filesystem_size_bytes": "mountpoint",
    "node_filesystem_files_free": "mountpoint",
    "node_network_receive_bytes_total": "device",
    "node_network_mtu_bytes": "device",
    "node_network_info": "device",
    "container_cpu_usage_seconds_total": "id",
    "container_memory_working_set_bytes": "id",
    "container_memory_failures_total": "id",
    "container_fs_reads_bytes_total": "id",
    "container_pressure_io_waiting_seconds_total": "id",
    "container_threads": "id",
    "container_start_time_seconds": "id",
}
_THINGS = {
    "cpu": LARGE.core_names,
    "mountpoint": LARGE.mount_points,
    "device": LARGE.interface_names,
    "id": LARGE.cgroup_ids,
}


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    return start_once.exporter()


@pytest.fixture(scope="module")
def page(
    exporter: Exporter, start_once: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> Page:
    """The exposition once the agent has reported everything."""
    flags = LARGE.write(tmp_path_factory.mktemp("machine"))
    agent = start_once.agent("large", exporter, interval="2s", flags=flags)
    page = wait_until(
        exporter.page,
        lambda page: all(_missing(page, name) == set() for name in FAMILIES),
        "everything of the machine",
        within=40,
    )
    assert "omitted from report" not in agent.log
    return page


def _things(name: str) -> set[str]:
    """Return the things that have a sample in a family."""
    found = {*_THINGS[FAMILIES[name]]}
    if not name.startswith("container_fs_"):
        return found
    # Those of services are reported once bytes are moved.
    return {each for each in found if not each.endswith(".service")}


def _missing(page: Page, name: str) -> set[str]:
    """Return the things that have no sample in a family, but should."""
    return _things(name) - {*_values(page.rows(name, instance="large"), FAMILIES[name])}


def _values(rows: Iterable[frozenset[tuple[str, str]]], label: str) -> Iterable[str]:
    return (dict(labels)[label] for labels in rows)


@pytest.mark.parametrize("name", FAMILIES)
def test_everything_of_the_machine_is_on_the_page(page: Page, name: str) -> None:
    assert {*_values(page.rows(name, instance="large"), FAMILIES[name])} == _things(name)


def test_nothing_of_the_machine_is_refused_or_lost(page: Page, exporter: Exporter) -> None:
    refused = page.rows("pombo_exporter_datagrams_refused_total")
    assert {labels: count for labels, count in refused.items() if count} == {}
    assert page.value("pombo_host_datagrams_lost_total", instance="large") == 0
    assert {*page.rows("node_scrape_collector_success", instance="large").values()} == {0, 1}
    containers = {"instance": "large", "collector": "containers"}
    assert page.value("node_scrape_collector_success", **containers) == 1
    assert page.value("pombo_host_collector_skipped_items_total", **containers) in {None, 0}
    limit = exporter.page().value("pombo_exporter_limits", limit="series_per_host")
    series = sum(("instance", "large") in labels for _, labels in page.samples)
    assert limit is not None
    assert series < 0.8 * limit  # above it there is an alert
