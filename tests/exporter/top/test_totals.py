"""The totals of a fleet: sums over the hosts that are not down, and counts of all."""

from typing import Any

import pytest
from msgspec.structs import replace
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.top.totals import datagrams_per_second, totals
from pombo_exporter.views.schema import ExporterStatus
from support.summaries import reason, summary

MEASURED: dict[str, Any] = {
    "cpu_cores": 4,
    "cpu_usage_ratio": 0.5,
    "memory_total_bytes": 100.0,
    "memory_available_bytes": 25.0,
    "network_receive_bytes_per_second": 10.0,
    "network_transmit_bytes_per_second": 1.0,
}


def test_totals_are_of_the_hosts_that_are_not_down() -> None:
    found = totals(
        [
            summary("one", **MEASURED, datagram_loss_ratio=0.2),
            summary("two", Severity.WARNING, [reason("disk", Severity.WARNING)], **MEASURED),
            summary("gone", Severity.CRITICAL, [], state=State.DOWN, **MEASURED),
            summary("silent", state=State.LATE),
        ]
    )
    assert found.states == {State.LIVE: 2, State.LATE: 1, State.DOWN: 1}
    assert (found.attention, found.critical) == (2, 1)
    assert (found.cores, found.busy_cores) == (8, 4.0)
    assert (found.memory_total, found.memory_used) == (200.0, 150.0)
    assert (found.receive, found.transmit) == (20.0, 2.0)
    assert found.loss == pytest.approx(0.2 / 3)


def test_no_host_has_no_loss() -> None:
    found = totals([])
    assert (found.cores, found.loss, found.states.total()) == (0, None, 0)


def test_datagrams_a_second_are_known_within_one_run_of_the_exporter() -> None:
    values: dict[str, Any] = dict.fromkeys(ExporterStatus.__struct_fields__)
    status = ExporterStatus(**values | {"uptime_seconds": 10.0, "datagrams_received": 100})
    later = replace(status, uptime_seconds=12.0, datagrams_received=150)
    assert datagrams_per_second(status, later) == 25
    assert datagrams_per_second(None, later) is None
    assert datagrams_per_second(later, status) is None
    assert (
        datagrams_per_second(later, replace(later, uptime_seconds=20.0, datagrams_received=0))
        is None
    )
