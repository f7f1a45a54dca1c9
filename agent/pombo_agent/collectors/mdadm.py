"""Software RAID: the disks of each array, its state, and how much of it is synchronised."""

import os.path
import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, families, family

_FAMILIES = {  # column: HELP text; the last two are of /sys, all others of /proc/mdstat
    "disks_required": "Total number of disks of device.",
    "blocks": "Total number of blocks on device.",
    "blocks_synced": "Number of blocks synced on device.",
    "raid_disks": "Number of raid disks on device.",
    "degraded": "Number of degraded disks on device.",
}
_DISKS_HELP = "Number of active/failed/spare disks of device."
_STATE_HELP = "Indicates the state of md-device."

_DISK_STATES = ("active", "failed", "spare")
_STATES = ("active", "inactive", "recovering", "resync", "check")

# What a line of progress names, and the state that it means; the first of these counts.
_PROGRESS = {b"recovery": "recovering", b"check": "check", b"resync": "resync"}
_NOT_BEGUN = (b"PENDING", b"DELAYED", b"REMOTE")
_DONE = re.compile(rb"\((\d+)/\d+\)")
_DISKS = re.compile(rb"\[(\d+)/(\d+)\] \[[U_]+\]")

# The levels that work with a disk less.
_REDUNDANT = {"raid1", "raid4", "raid5", "raid6", "raid10"}

Array = dict[str, Cell]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_md_*``. A block has 1024 bytes."""
    arrays = parse_mdstat(sources.proc("mdstat"))
    disks: list[tuple[Cell, ...]] = []
    states: list[tuple[Cell, ...]] = []
    for name, array in arrays.items():
        disks += [(name, state, array.get(state)) for state in _DISK_STATES]
        states += [(name, state, int(state == array["state"])) for state in _STATES]
    for name in sources.names(f"{sources.sysfs}/block", "md"):
        if os.path.isdir(path := f"{sources.sysfs}/block/{name}/md"):
            arrays[name] = {"device": name, **arrays.get(name, {}), **_in_sysfs(sources, path)}
    return [
        *families("node_md_*", "gauge", _FAMILIES, ("device",), arrays.values()),
        *family("node_md_disks", "gauge", _DISKS_HELP, ("device", "state"), disks),
        *family("node_md_state", "gauge", _STATE_HELP, ("device", "state"), states),
    ]


def _in_sysfs(sources: Sources, path: str) -> Array:
    """Return the disks of an array, and how many it lacks; none where its level allows that."""
    redundant = sources.text(f"{path}/level") in _REDUNDANT
    degraded = sources.value(f"{path}/degraded") if redundant else 0
    return {"raid_disks": sources.value(f"{path}/raid_disks"), "degraded": degraded}


def parse_mdstat(file: File) -> dict[str, Array]:
    """Return the arrays in ``/proc/mdstat`` by name.

    An array has a line with its name, level and disks, one with its size and the state of its
    disks, and perhaps one of progress and one of its bitmap.
    """
    found: dict[str, Array] = {}
    array: Array = {}
    for line in file.lines():
        words = line.split()
        if line.startswith((b"Personalities", b"unused")):
            array = {}
        elif words[1:2] == [b":"] and len(words) > 2:
            array = _with_disks(words, line)
            found[str(array["device"])] = array
        elif not array or not line[:1].isspace():
            file.skip("line", line)
        elif words[1:2] == [b"blocks"]:
            _add_size(array, file, line)
        else:
            _add_progress(array, file, line)
    return found


def _with_disks(words: list[bytes], line: bytes) -> Array:
    array: Array = {
        "device": decoded(words[0]),
        "state": decoded(words[2]),
        "failed": line.count(b"(F)"),
        "spare": line.count(b"(S)"),
    }
    if b"raid0" in line or b"linear" in line:
        array["active"] = array["disks_required"] = line.count(b"[")
    elif b"inactive" in line:
        array["active"] = array["disks_required"] = 0
    return array


def _add_size(array: Array, file: File, line: bytes) -> None:
    array["blocks"] = array["blocks_synced"] = file.number(line.split()[0])
    if "active" not in array:
        if disks := _DISKS.search(line):
            array["disks_required"], array["active"] = map(file.number, disks.groups())
        else:
            file.skip("line", line)


def _add_progress(array: Array, file: File, line: bytes) -> None:
    state = next((state for word, state in _PROGRESS.items() if word in line), None)
    if state is None or b"bitmap" in line:
        return
    array["state"] = state
    if any(word in line for word in _NOT_BEGUN):
        array["blocks_synced"] = 0
    elif done := _DONE.search(line):
        array["blocks_synced"] = file.number(done[1])
    else:
        array["blocks_synced"] = None
        file.skip("line", line)


COLLECTORS = [Collector("mdadm", collect)]
