"""The collector ``watchdog``, which node_exporter 1.5 does not have."""

from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import watchdog
from pombo_wire.section import Section
from support.fixtures import copy_fixture


def test_families_are_those_of_node_exporter(this_machine: Sources, tmp_path: Path) -> None:
    copy_fixture("watchdog", tmp_path / "host")
    found = watchdog.collect(this_machine._replace(sysfs=tmp_path / "host/sys"))
    columns: dict[str, tuple[str, list[float | None]]] = {
        "bootstatus": ("bootstatus", [32, None]),
        "fw_version": ("fw_version", [2, None]),
        "nowayout": ("nowayout", [1, None]),
        "timeleft_seconds": ("timeleft", [299, None]),
        "timeout_seconds": ("timeout", [300, 60]),
        "pretimeout_seconds": ("pretimeout", [120, None]),
        "access_cs0": ("access_cs0", [3, None]),
    }
    assert found == [
        Section(
            "node_watchdog_*",
            {"name": ("watchdog0", "watchdog1")},
            tuple(columns),
            [cell for _, cells in columns.values() for cell in cells],
            type="gauge",
            help=tuple(
                f"Value of /sys/class/watchdog/<watchdog>/{file}" for file, _ in columns.values()
            ),
        ),
        Section(
            "node_watchdog_info",
            {
                "name": ("watchdog0", "watchdog1"),
                "options": ("0x8380", ""),
                "identity": ("iTCO_wdt", "Software Watchdog"),
                "state": ("active", "inactive"),
                "status": ("0x8000", ""),
                "pretimeout_governor": ("noop", ""),
            },
            (),
            (1, 1),
            type="gauge",
            help="Info of /sys/class/watchdog/<watchdog>",
        ),
    ]


def test_host_without_a_watchdog_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        watchdog.collect(this_machine._replace(sysfs=tmp_path))
