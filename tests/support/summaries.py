"""Summaries and details of hosts, as an exporter would answer them."""

from typing import Any

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Reason, Severity, Unit
from pombo_exporter.views.schema import HostDetail, HostSummary


def reason(name: str, severity: Severity, subject: str = "") -> Reason:
    """Return a reason whose text names its subject."""
    return Reason(name, severity, subject, 0.98, 0.9, Unit.RATIO, f"{name} {subject} is bad")


def fields(
    name: str, severity: Severity = Severity.OK, reasons: list[Reason] | None = None, **given: Any
) -> dict[str, Any]:
    """Return the fields of the summary of a host that is live and has measured nothing."""
    known: dict[str, Any] = dict.fromkeys(HostSummary.__struct_fields__)
    known |= {
        "name": name,
        "severity": severity,
        "reasons": reasons or [],
        "state": State.LIVE,
        "last_seen_timestamp_seconds": 1_800_000_000.0,
        "last_seen_age_seconds": 1.0,
        "address": "192.0.2.1",
        "duplicate_addresses": [],
        "agent_version": "pombo-agent 0.1.0",
        "labels": {},
        "interval_seconds": 5.0,
        "datagram_loss_ratio": 0.0,
        "conflicts": 0,
        "looks_like": "",
    }
    counts = ("received", "lost", "skipped", "duplicate", "reordered")
    return known | {f"datagrams_{count}": 0 for count in counts} | given


def summary(
    name: str, severity: Severity = Severity.OK, reasons: list[Reason] | None = None, **given: Any
) -> HostSummary:
    """Return the summary of a host; what is not given is unknown."""
    return HostSummary(**fields(name, severity, reasons, **given))


def detail(name: str, reasons: list[Reason] | None = None, **given: Any) -> HostDetail:
    """Return all fields of a host; what is not given is unknown or empty."""
    severity = reasons[0].severity if reasons else Severity.OK
    more: dict[str, Any] = dict.fromkeys(HostDetail.__struct_fields__)
    more |= dict.fromkeys(("system", "release", "machine"), "") | {"gauges": {}}
    tables = ("cores", "filesystems", "disks", "networks", "temperatures", "fans", "containers")
    more |= {each: [] for each in (*tables, "processes_by_cpu", "processes_by_memory")}
    return HostDetail(**(more | fields(name, severity, reasons, **given)))
