"""NFS: the requests of this host as a client, and as a server."""

from collections.abc import Mapping

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import families, family

# The operations in the order of their counts. Without a name are those that node_exporter omits.
_V2 = (
    *("Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write"),
    *("Create", "Remove", "Rename", "Link", "SymLink", "MkDir", "RmDir", "ReadDir", "FsStat"),
)
_V3 = (
    *("Null", "GetAttr", "SetAttr", "Lookup", "Access", "ReadLink", "Read", "Write", "Create"),
    *("MkDir", "SymLink", "MkNod", "Remove", "RmDir", "Rename", "Link", "ReadDir", "ReadDirPlus"),
    *("FsStat", "FsInfo", "PathConf", "Commit"),
)
_V4_CLIENT = (
    *("Null", "Read", "Write", "Commit", "Open", "OpenConfirm", "OpenNoattr", "OpenDowngrade"),
    *("Close", "Setattr", "FsInfo", "Renew", "SetClientID", "SetClientIDConfirm", "Lock"),
    *("Lockt", "Locku", "Access", "Getattr", "Lookup", "LookupRoot", "Remove", "Rename", "Link"),
    *("Symlink", "Create", "Pathconf", "StatFs", "ReadLink", "ReadDir", "ServerCaps"),
    *("DelegReturn", "GetACL", "SetACL", "FsLocations", "ReleaseLockowner", "Secinfo"),
    *("FsidPresent", "ExchangeID", "CreateSession", "DestroySession", "Sequence"),
    *("GetLeaseTime", "ReclaimComplete", "LayoutGet", "GetDeviceInfo", "LayoutCommit"),
    *("LayoutReturn", "SecinfoNoName", "TestStateID", "FreeStateID", "GetDeviceList"),
    *("BindConnToSession", "DestroyClientID", "Seek", "Allocate", "DeAllocate", "LayoutStats"),
    "Clone",
)
# These are node_exporter's names. From "Verify" on they stand two counts too early: the kernel has
# those of SETCLIENTID and SETCLIENTID_CONFIRM first.
_V4_SERVER = (
    *("", "", "", "Access", "Close", "Commit", "Create", "DelegPurge", "DelegReturn", "GetAttr"),
    *("GetFH", "Link", "Lock", "Lockt", "Locku", "Lookup", "LookupRoot", "Nverify", "Open"),
    *("OpenAttr", "OpenConfirm", "OpenDgrd", "PutFH", "", "", "Read", "ReadDir", "ReadLink"),
    *("Remove", "Rename", "Renew", "RestoreFH", "SaveFH", "SecInfo", "SetAttr", "Verify"),
    *("Write", "RelLockOwner"),
)

# Each line's protocol, and its operations.
_CLIENT = {b"proc2": ("2", _V2), b"proc3": ("3", _V3), b"proc4": ("4", _V4_CLIENT)}
_SERVER = {
    b"proc2": ("2", ("", *_V2[1:])),
    b"proc3": ("3", ("", *_V3[1:])),
    b"proc4ops": ("4", _V4_SERVER),
}

# Lines, the columns of their values, and the HELP text of each.
_CLIENT_COLUMNS = {
    b"net": ("", "udp", "tcp", "connections"),
    b"rpc": ("rpcs", "rpc_retransmissions", "rpc_authentication_refreshes"),
}
_CLIENT_HELPS = {
    "connections": "Total number of NFSd TCP connections.",
    "rpcs": "Total number of RPCs performed.",
    "rpc_retransmissions": "Number of RPC transmissions performed.",
    "rpc_authentication_refreshes": "Number of RPC authentication refreshes performed.",
}
_SERVER_COLUMNS = {
    b"rc": ("reply_cache_hits", "reply_cache_misses", "reply_cache_nocache"),
    b"fh": ("file_handles_stale",),
    b"io": ("disk_bytes_read", "disk_bytes_written"),
    b"th": ("server_threads",),
    b"ra": ("read_ahead_cache_size_blocks", *[""] * 10, "read_ahead_cache_not_found"),
    b"net": ("", "udp", "tcp", "connections"),
    b"rpc": ("server_rpcs", "", "fmt", "auth", "cInt"),
}
_REPLY_CACHE = "Total number of NFSd Reply Cache"
_SERVER_HELPS = {
    "reply_cache_hits": f"{_REPLY_CACHE} hits (client lost server response).",
    "reply_cache_misses": f"{_REPLY_CACHE} an operation that requires caching (idempotent).",
    "reply_cache_nocache": f"{_REPLY_CACHE} non-idempotent operations (rename/delete/…).",
    "file_handles_stale": "Total number of NFSd stale file handles",
    "disk_bytes_read": "Total NFSd bytes read.",
    "disk_bytes_written": "Total NFSd bytes written.",
    "read_ahead_cache_not_found": "Total number of NFSd read ahead cache not found.",
    "connections": "Total number of NFSd TCP connections.",
    "server_rpcs": "Total number of NFSd RPCs.",
}
_SERVER_GAUGES = {
    "server_threads": "Total number of NFSd kernel threads that are running.",
    "read_ahead_cache_size_blocks": "How large the read ahead cache is in blocks.",
}
_PACKETS_HELP = "Total NFSd network packets (sent+received) by protocol type."
_ERRORS_HELP = "Total number of NFSd RPC errors by error type."

Counts = dict[str, float | None]
Requests = list[tuple[str, str, float | None]]


def collect_client(sources: Sources) -> list[Section]:
    """Return the open families ``node_nfs_*``."""
    file = sources.proc("net/rpc/nfs")
    counts, requests = parse(file, _CLIENT_COLUMNS, _CLIENT)
    text = "Number of NFS procedures invoked."
    return [
        *families("node_nfs_*_total", "counter", _CLIENT_HELPS, (), [counts]),
        *_by("protocol", "node_nfs_packets_total", _PACKETS_HELP, counts, ("udp", "tcp")),
        *family("node_nfs_requests_total", "counter", text, ("proto", "method"), requests),
    ]


def collect_server(sources: Sources) -> list[Section]:
    """Return the open families ``node_nfsd_*``."""
    file = sources.proc("net/rpc/nfsd")
    counts, requests = parse(file, _SERVER_COLUMNS, _SERVER)
    text = "Total number NFSd Requests by method and protocol."
    return [
        *families("node_nfsd_*_total", "counter", _SERVER_HELPS, (), [counts]),
        *families("node_nfsd_*", "gauge", _SERVER_GAUGES, (), [counts]),
        *_by("proto", "node_nfsd_packets_total", _PACKETS_HELP, counts, ("udp", "tcp")),
        *_by("error", "node_nfsd_rpc_errors_total", _ERRORS_HELP, counts, ("fmt", "auth", "cInt")),
        *family("node_nfsd_requests_total", "counter", text, ("proto", "method"), requests),
    ]


def _by(
    label: str, name: str, text: str, counts: Counts, columns: tuple[str, ...]
) -> list[Section]:
    """Return some of the counts as one family, whose label has their columns."""
    return family(name, "counter", text, (label,), [(key, counts.get(key)) for key in columns])


def parse(
    file: File,
    columns: Mapping[bytes, tuple[str, ...]],
    procedures: Mapping[bytes, tuple[str, tuple[str, ...]]],
) -> tuple[Counts, Requests]:
    """Return the counts and the requests in ``/proc/net/rpc/nfs`` or ``nfsd``.

    A kernel without a version of NFS lacks its line, and an old one some of the operations at the
    end of a line: these are 0, as node_exporter has them.
    """
    lines = {words[0]: words[1:] for words in file.words(2)}
    counts: Counts = {}
    for key, names in columns.items():
        values = lines.get(key, [b"0"] * len(names))
        if len(values) < len(names):
            file.skip("line", b" ".join([key, *values]))
        else:
            pairs = zip(names, values, strict=False)
            counts |= {name: file.number(value) for name, value in pairs if name}
    requests: Requests = []
    for key, (protocol, names) in procedures.items():
        count, *values = lines.get(key, [b"0"])
        if file.number(count) != len(values):
            file.skip("line", b" ".join([key, count, *values]))
        else:
            values += [b"0"] * (len(names) - len(values))
            pairs = zip(names, values, strict=False)
            requests += [(protocol, name, file.number(value)) for name, value in pairs if name]
    if delegated := lines.get(b"wdeleg_getattr"):
        requests.append(("4", "WdelegGetattr", file.number(delegated[0])))
    return counts, requests


COLLECTORS = [Collector("nfs", collect_client), Collector("nfsd", collect_server)]
