"""NFS mounts: the requests of each, how long they took, and the events of its files."""

from collections.abc import Sequence

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_LABELS = ("export", "protocol", "mountaddr")

_AGE = {"age_seconds": "The age of the NFS mount in seconds."}
_BYTES = {  # column: HELP text, in the order of the values in a line
    "read_bytes": "Number of bytes read using the read() syscall.",
    "write_bytes": "Number of bytes written using the write() syscall.",
    "direct_read_bytes": "Number of bytes read using the read() syscall in O_DIRECT mode.",
    "direct_write_bytes": "Number of bytes written using the write() syscall in O_DIRECT mode.",
    "total_read_bytes": "Number of bytes read from the NFS server, in total.",
    "total_write_bytes": "Number of bytes written to the NFS server, in total.",
    "read_pages": "Number of pages read directly via mmap()'d files.",
    "write_pages": "Number of pages written directly via mmap()'d files.",
}
_EVENTS = {
    "event_inode_revalidate": (
        "Number of times cached inode attributes are re-validated from the server."
    ),
    "event_dnode_revalidate": (
        "Number of times cached dentry nodes are re-validated from the server."
    ),
    "event_data_invalidate": "Number of times an inode cache is cleared.",
    "event_attribute_invalidate": "Number of times cached inode attributes are invalidated.",
    "event_vfs_open": "Number of times cached inode attributes are invalidated.",
    "event_vfs_lookup": "Number of times a directory lookup has occurred.",
    "event_vfs_access": "Number of times permissions have been checked.",
    "event_vfs_update_page": "Number of updates (and potential writes) to pages.",
    "event_vfs_read_page": "Number of pages read directly via mmap()'d files.",
    "event_vfs_read_pages": "Number of times a group of pages have been read.",
    "event_vfs_write_page": "Number of pages written directly via mmap()'d files.",
    "event_vfs_write_pages": "Number of times a group of pages have been written.",
    "event_vfs_getdents": "Number of times directory entries have been read with getdents().",
    "event_vfs_setattr": "Number of times directory entries have been read with getdents().",
    "event_vfs_flush": "Number of pending writes that have been forcefully flushed to the server.",
    "event_vfs_fsync": "Number of times fsync() has been called on directories and files.",
    "event_vfs_lock": "Number of times locking has been attempted on a file.",
    "event_vfs_file_release": "Number of times files have been closed and released.",
    "": "",  # the nineteenth event is not used
    "event_truncation": "Number of times files have been truncated.",
    "event_write_extension": (
        "Number of times a file has been grown due to writes beyond its existing end."
    ),
    "event_silly_rename": (
        "Number of times a file was removed while still open by another process."
    ),
    "event_short_read": (
        "Number of times the NFS server gave less data than expected while reading."
    ),
    "event_short_write": (
        "Number of times the NFS server wrote less data than expected while writing."
    ),
    "event_jukebox_delay": (
        "Number of times the NFS server indicated EJUKEBOX; retrieving data from offline storage."
    ),
    "event_pnfs_read": "Number of NFS v4.1+ pNFS reads.",
    "event_pnfs_write": "Number of NFS v4.1+ pNFS writes.",
}
_LINES = {b"age:": _AGE, b"bytes:": _BYTES, b"events:": _EVENTS}

_TRANSPORT = {
    "transport_bind": (
        "Number of times the client has had to establish a connection from scratch to the NFS "
        "server."
    ),
    "transport_connect": "Number of times the client has made a TCP connection to the NFS server.",
    "transport_sends": "Number of RPC requests for this mount sent to the NFS server.",
    "transport_receives": "Number of RPC responses for this mount received from the NFS server.",
    "transport_bad_transaction_ids": (
        "Number of times the NFS server sent a response with a transaction ID unknown to this "
        "client."
    ),
    "transport_backlog_queue": "Total number of items added to the RPC backlog queue.",
    "transport_sending_queue": "Total number of items added to the RPC transmission sending queue.",
    "transport_pending_queue": "Total number of items added to the RPC transmission pending queue.",
}
_TRANSPORT_GAUGES = {
    "idle_time_seconds": "Duration since the NFS mount last saw any RPC traffic, in seconds.",
    "maximum_rpc_slots": "Maximum number of simultaneously active RPC requests ever used.",
}
# The values of a line "xprt:" by protocol. An old kernel has those to the backlog queue.
_TCP = (
    *("", "transport_bind", "transport_connect", "", "idle_time_seconds"),
    *("transport_sends", "transport_receives", "transport_bad_transaction_ids", ""),
    *("transport_backlog_queue", "maximum_rpc_slots", "transport_sending_queue"),
    "transport_pending_queue",
)
_UDP = (*_TCP[:2], *_TCP[5:])  # which makes no connections
_PROTOCOLS = {b"tcp": _TCP, b"udp": _UDP, b"rdma": _TCP[:10]}

_OPERATION = {
    "requests": "Number of requests performed for a given operation.",
    "transmissions": (
        "Number of times an actual RPC request has been transmitted for a given operation."
    ),
    "major_timeouts": ("Number of times a request has had a major timeout for a given operation."),
    "sent_bytes": (
        "Number of bytes sent for a given operation, including RPC headers and payload."
    ),
    "received_bytes": (
        "Number of bytes received for a given operation, including RPC headers and payload."
    ),
    "queue_time_seconds": (
        "Duration all requests spent queued for transmission for a given operation before they "
        "were sent, in seconds."
    ),
    "response_time_seconds": (
        "Duration all requests took to get a reply back after a request for a given operation was "
        "transmitted, in seconds."
    ),
    "request_time_seconds": (
        "Duration all requests took from when a request was enqueued to when it was completely "
        "handled for a given operation, in seconds."
    ),
    "errors": "Number of errors for a given operation",  # since Linux 5.3
}

_COUNTERS = {**_AGE, **_BYTES, **_EVENTS, **_TRANSPORT}
del _COUNTERS[""]

# The sections of the counters. One with all of their HELP texts would fit no datagram.
_PARTS = (
    *("transport_*_queue", "transport_*", "event_*_revalidate", "event_*_invalidate"),
    *("event_vfs_*_page", "event_vfs_*_pages", "event_vfs_*", "event_*", "*"),
)
_OPERATION_PARTS = ("*_bytes", "*_time_seconds", "*")
_LAST_OF_OLD = "transport_backlog_queue"

_DEVICE_WORDS = 8  # EXPORT mounted on MOUNTPOINT with fstype TYPE statvers=VERSION

# Where a duration is below zero, the kernel writes a number near 2**64. node_exporter reports the
# rest of these columns by 2**53.
_MODULUS = 2**53
_MODULO = {
    *("idle_time_seconds", "queue_time_seconds", "response_time_seconds", "request_time_seconds"),
    "errors",
}
_MILLISECONDS = {"queue_time_seconds", "response_time_seconds", "request_time_seconds"}

Values = dict[str, float | None]


class Mount:
    """An NFS mount."""

    __slots__ = ("address", "export", "mountpoint", "operations", "protocol", "values")

    def __init__(self, export: str, mountpoint: str, address: str) -> None:
        self.export, self.mountpoint = export, mountpoint
        #: Of its server.
        self.address = address
        self.protocol = ""
        self.values: Values = dict.fromkeys([*_COUNTERS, *_TRANSPORT_GAUGES], 0)
        self.operations: dict[str, Values] = {}


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_mountstats_nfs_*``.

    A directory of a server that is mounted at several places is reported once.
    """
    file = sources.proc("self/mountstats")
    mountinfo = sources.optional(f"{sources.procfs}/self/mountinfo")
    infos: dict[tuple[str, ...], None] = {}
    rows: dict[tuple[str, ...], Row] = {}
    operations: list[Row] = []
    for mount in parse_mountstats(file, server_addresses(mountinfo) if mountinfo else []):
        key = (mount.export, mount.protocol, mount.address)
        infos.setdefault((*key, mount.mountpoint))
        if key not in rows:
            labels = dict(zip(_LABELS, key, strict=True))
            rows[key] = {**labels, **mount.values}
            for name, values in mount.operations.items():
                operations.append({**labels, "operation": name, **values})
    name = "node_mountstats_nfs_mountpoint_info"
    text = "Info metric for an NFS mountpoint."
    points: list[tuple[Cell, ...]] = [(*key, 1) for key in infos]
    of_operation = (*_LABELS, "operation")
    gauges = "node_mountstats_nfs_transport_*"
    return [
        *_in_parts("", _PARTS, _COUNTERS, _LABELS, [*rows.values()]),
        *_in_parts("operations_", _OPERATION_PARTS, _OPERATION, of_operation, operations),
        *families(gauges, "gauge", _TRANSPORT_GAUGES, _LABELS, rows.values()),
        *family(name, "gauge", text, (*_LABELS, "mountpoint"), points),
    ]


def _in_parts(
    prefix: str, parts: Sequence[str], helps: dict[str, str], labels: Sequence[str], rows: list[Row]
) -> list[Section]:
    """Return counters in several sections. A column is in the first part whose name it has."""
    rest = dict(helps)
    sections: list[Section] = []
    for part in parts:
        start, _, end = part.partition("*")
        own = {
            column: column[len(start) : len(column) - len(end)]
            for column in rest
            if column.startswith(start) and column.endswith(end)
        }
        texts = {short: rest.pop(column) for column, short in own.items()}
        of_part = [
            {label: row[label] for label in labels}
            | {short: row.get(column) for column, short in own.items()}
            for row in rows
        ]
        name = f"node_mountstats_nfs_{prefix}{part}_total"
        sections += families(name, "counter", texts, labels, of_part)
    return sections


def server_addresses(file: File) -> list[str]:
    """Return the option ``addr`` of each mount in ``/proc/<pid>/mountinfo``; empty without one."""
    found = []
    for line in file.lines():
        options = line.rpartition(b" ")[2].split(b",")
        addresses = [decoded(each[5:]) for each in options if each.startswith(b"addr=")]
        found.append(addresses[-1] if addresses else "")
    return found


def parse_mountstats(file: File, addresses: list[str]) -> list[Mount]:
    """Return the NFS mounts in ``/proc/<pid>/mountstats``.

    ``addresses`` are the servers of all mounts, in the order of the file. Values that an old kernel
    lacks are 0, as node_exporter has them.
    """
    mounts: list[Mount] = []
    mount: Mount | None = None
    at = -1
    for key, *words in file.words():
        if key == b"device":
            at += 1
            mount = None
            if len(words) >= _DEVICE_WORDS and words[6] in {b"nfs", b"nfs4"}:
                address = addresses[at] if at < len(addresses) else ""
                mount = Mount(decoded(words[0]), decoded(words[3]), address)
                mounts.append(mount)
        elif mount is None:
            continue
        elif key in _LINES:
            mount.values |= _values(file, words, [*_LINES[key]])
        elif key == b"xprt:" and words:
            mount.protocol = decoded(words[0])
            columns = _PROTOCOLS.get(words[0], _TCP)
            mount.values |= _values(file, words[1:], columns, columns.index(_LAST_OF_OLD) + 1)
        elif key.endswith(b":") and key.isupper():
            values = _values(file, words, [*_OPERATION], len(_OPERATION) - 1)
            mount.operations[decoded(key[:-1])] = values
    return mounts


def _values(
    file: File, words: list[bytes], columns: Sequence[str], least: int | None = None
) -> Values:
    """Return the values of a line by column; all are ``None`` where there are too few."""
    if len(words) < (len(columns) if least is None else least):
        file.skip("line", b" ".join(words))
        return dict.fromkeys(columns)
    found: Values = dict.fromkeys(columns, 0)
    for column, word in zip(columns, words, strict=False):
        value = file.number(word) if column else None
        if value is not None and column in _MODULO:
            value %= _MODULUS
            value = value / 1000 if column in _MILLISECONDS else value
        found[column] = value
    return found


COLLECTORS = [Collector("mountstats", collect, enabled=False)]
