"""Watchdogs: their timeouts, their state, and why the machine was started last."""

import os.path
from functools import partial

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, families, family

_FILES = {  # by the column of each
    "bootstatus": "bootstatus",
    "fw_version": "fw_version",
    "nowayout": "nowayout",
    "timeleft_seconds": "timeleft",
    "timeout_seconds": "timeout",
    "pretimeout_seconds": "pretimeout",
    "access_cs0": "access_cs0",
}
_HELPS = {
    column: f"Value of /sys/class/watchdog/<watchdog>/{file}" for column, file in _FILES.items()
}
_TEXTS = ("options", "identity", "state", "status", "pretimeout_governor")


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_watchdog_*``."""
    watchdogs = f"{sources.sysfs}/class/watchdog"
    if not os.path.isdir(watchdogs):
        raise NoDataError("no watchdog")
    rows = sources.rows(watchdogs, partial(_row, sources))
    labels = ("name", *_TEXTS)
    info = [(*(row.get(label) for label in labels), 1) for row in rows]
    text = "Info of /sys/class/watchdog/<watchdog>"
    return [
        *families("node_watchdog_*", "gauge", _HELPS, ("name",), rows),
        *family("node_watchdog_info", "gauge", text, labels, info),
    ]


def _row(sources: Sources, path: str, name: str) -> Row:
    return {"name": name, **sources.texts(path, _TEXTS), **sources.values(path, _FILES)}


COLLECTORS = [Collector("watchdog", collect)]
