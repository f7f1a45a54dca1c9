"""Tape drives: what was read and written, and the time that it took."""

import os.path
import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, families, family

# The column of each file in /sys/class/scsi_tape/<device>/stats.
_COUNTS = {
    "now": "in_flight",
    "others": "other_cnt",
    "read_bytes": "read_byte_cnt",
    "reads_completed": "read_cnt",
    "residual": "resid_cnt",
    "written_bytes": "write_byte_cnt",
    "writes_completed": "write_cnt",
}
_NANOSECONDS = {
    "time_seconds": "io_ns",
    "read_time_seconds": "read_ns",
    "write_time_seconds": "write_ns",
}
_FAMILIES = {  # column: HELP text
    "read_bytes": "The number of bytes read from the tape drive.",
    "reads_completed": "The number of read requests issued to the tape drive.",
    "read_time_seconds": "The amount of time spent waiting for read requests to complete.",
    "written_bytes": "The number of bytes written to the tape drive.",
    "writes_completed": "The number of write requests issued to the tape drive.",
    "write_time_seconds": "The amount of time spent waiting for write requests to complete.",
}
_IO_FAMILIES = {
    "time_seconds": (
        "The amount of time spent waiting for all I/O to complete (including read and write). "
        "This includes tape movement commands such as seeking between file or set marks and "
        "implicit tape movement such as when rewind on close tape devices are used."
    ),
    "others": (
        "The number of I/Os issued to the tape drive other than read or write commands. The time "
        "taken to complete these commands uses the following calculation "
        "io_time_seconds_total-read_time_seconds_total-write_time_seconds_total"
    ),
}
_RESIDUAL_HELP = (
    "The number of times during a read or write we found the residual amount to be non-zero. "
    "This should mean that a program is issuing a read larger thean the block size on tape. "
    "For write not all data made it to tape."
)
_NOW_HELP = "The number of I/Os currently outstanding to this device."

_DEVICE = re.compile(r"st[0-9]+")  # the others are the same drives in other modes


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_tape_*``."""
    path = f"{sources.sysfs}/class/scsi_tape"
    if not os.path.isdir(path):
        raise NoDataError("no tape drive")
    ignored = sources.flags.pattern("ignored-devices")
    names = [name for name in sources.names(path, "st") if _DEVICE.fullmatch(name)]
    rows = [_drive(sources, path, name) for name in names if not ignored.search(name)]
    residual = [(row["device"], row["residual"]) for row in rows]
    now = [(row["device"], row["now"]) for row in rows]
    labels = ("device",)
    return [
        *families("node_tape_*_total", "counter", _FAMILIES, labels, rows),
        *families("node_tape_io_*_total", "counter", _IO_FAMILIES, labels, rows),
        *family("node_tape_residual_total", "counter", _RESIDUAL_HELP, labels, residual),
        *family("node_tape_io_now", "gauge", _NOW_HELP, labels, now),
    ]


def _drive(sources: Sources, path: str, name: str) -> dict[str, Cell]:
    """Return the statistics of a drive; 0 where the kernel lacks a file."""
    stats = f"{path}/{name}/stats"
    files = sources.names(stats)
    found: dict[str, Cell] = {"device": name}
    for column, file in _COUNTS.items():
        found[column] = sources.value(f"{stats}/{file}") if file in files else 0
    for column, file in _NANOSECONDS.items():
        time = sources.value(f"{stats}/{file}") if file in files else 0
        found[column] = None if time is None else time * 1e-9
    return found


FLAGS = (pattern("ignored-devices", "^$", "Regexp of devices to ignore for tapestats."),)
COLLECTORS = [Collector("tapestats", collect, flags=FLAGS)]
