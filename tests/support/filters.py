"""The cases of filters that hold the exporter and the status page to the same answers."""

import json
from pathlib import Path
from typing import Any, Final

from pombo_exporter.hosts.severity import Severity
from pombo_exporter.views.schema import FullestFilesystem, HostSummary

from support.summaries import reason, summary

_CASES: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "exporter/views/filter_cases.json").read_text("utf-8")
)

#: The time at which filters are applied, in Unix seconds.
NOW: Final[float] = _CASES["now"]


def _summary(fields: dict[str, Any]) -> HostSummary:
    given = dict(fields)
    name, severity = given.pop("name"), Severity(given.pop("severity", "ok"))
    reasons = [reason(each, severity) for each in given.pop("reasons", [])]
    if filesystem := given.get("fullest_filesystem"):
        given["fullest_filesystem"] = FullestFilesystem(**filesystem)
    age = given.setdefault("last_seen_age_seconds", 1.0)
    given["last_seen_timestamp_seconds"] = NOW - age
    return summary(name, severity, reasons, **given)


#: The hosts that are filtered.
FLEET: Final = tuple(map(_summary, _CASES["hosts"]))

#: Filters, and the names of the hosts that match each.
FOUND: Final[list[tuple[str, list[str]]]] = [tuple(each) for each in _CASES["found"]]

#: Filters that say nothing, and why.
WRONG: Final[list[tuple[str, str]]] = [tuple(each) for each in _CASES["wrong"]]
