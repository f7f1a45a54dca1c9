"""DRBD until version 8.4: the replication of block devices."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, families, family

_KIB = 1024

# The column of each value, and the bytes of its unit. "nr" is in KiB too, but node_exporter has it
# as it is.
_VALUES = {
    b"ns": ("network_sent_bytes", _KIB),
    b"nr": ("network_received_bytes", 1),
    b"dw": ("disk_written_bytes", _KIB),
    b"dr": ("disk_read_bytes", _KIB),
    b"al": ("activitylog_writes", 1),
    b"bm": ("bitmap_writes", 1),
    b"lo": ("local_pending", 1),
    b"pe": ("remote_pending", 1),
    b"ua": ("remote_unacknowledged", 1),
    b"ap": ("application_pending", 1),
    b"ep": ("epochs", 1),
    b"oos": ("out_of_sync_bytes", _KIB),
}
# The family of each pair of states, which are of this node and of the other, and the state for
# which it is 1.
_PAIRS = {
    b"ro": ("node_drbd_node_role_is_primary", b"Primary"),
    b"ds": ("node_drbd_disk_state_is_up_to_date", b"UpToDate"),
}
_NODES = ("local", "remote")

_COUNTERS = {  # column: HELP text
    "network_sent_bytes": "Total number of bytes sent via the network.",
    "network_received_bytes": "Total number of bytes received via the network.",
    "disk_written_bytes": "Net data written on local hard disk; in bytes.",
    "disk_read_bytes": "Net data read from local hard disk; in bytes.",
    "activitylog_writes": "Number of updates of the activity log area of the meta data.",
    "bitmap_writes": "Number of updates of the bitmap area of the meta data.",
}
_GAUGES = {
    "local_pending": "Number of open requests to the local I/O sub-system.",
    "remote_pending": (
        "Number of requests sent to the peer, but that have not yet been answered by the latter."
    ),
    "remote_unacknowledged": (
        "Number of requests received by the peer via the network connection, but that have not "
        "yet been answered."
    ),
    "application_pending": (
        "Number of block I/O requests forwarded to DRBD, but not yet answered by DRBD."
    ),
    "epochs": "Number of Epochs currently on the fly.",
    "out_of_sync_bytes": "Amount of data known to be out of sync; in bytes.",
    "connected": "Whether DRBD is connected to the peer.",
}
_PAIR_HELPS = {
    "node_drbd_node_role_is_primary": "Whether the role of the node is in the primary state.",
    "node_drbd_disk_state_is_up_to_date": "Whether the disk of the node is up to date.",
}

Device = dict[str, Cell]
Pairs = dict[tuple[str, str, str], int]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_drbd_*``."""
    devices, pairs = parse_drbd(sources.proc("drbd"))
    sections = [
        *families("node_drbd_*_total", "counter", _COUNTERS, ("device",), devices),
        *families("node_drbd_*", "gauge", _GAUGES, ("device",), devices),
    ]
    for name, text in _PAIR_HELPS.items():
        rows: list[tuple[Cell, ...]] = [
            (device, node, value) for (of, device, node), value in pairs.items() if of == name
        ]
        sections += family(name, "gauge", text, ("device", "node"), rows)
    return sections


def parse_drbd(file: File) -> tuple[list[Device], Pairs]:
    """Return the devices in ``/proc/drbd``, and their pairs of states by family, device and node.

    A device has its number, and then words such as ``cs:Connected`` or ``ns:17``, in two lines.
    """
    devices: list[Device] = []
    pairs: Pairs = {}
    for word in file.data.split():
        key, colon, value = word.partition(b":")
        if colon and not value and key.isdigit():
            devices.append({"device": f"drbd{decoded(key).lstrip(chr(48)) or 0}"})
        if not value or b":" in value or not devices:
            continue  # a word of another kind, or of the version
        device = devices[-1]
        if key in _VALUES:
            column, unit = _VALUES[key]
            number = file.number(value)
            device.setdefault(column, None if number is None else number * unit)
        elif key in _PAIRS:
            name, good = _PAIRS[key]
            for node, state in zip(_NODES, value.split(b"/"), strict=False):
                pairs.setdefault((name, str(device["device"]), node), int(state == good))
        elif key == b"cs":
            device.setdefault("connected", int(value == b"Connected"))
    return devices, pairs


COLLECTORS = [Collector("drbd", collect, enabled=False)]
