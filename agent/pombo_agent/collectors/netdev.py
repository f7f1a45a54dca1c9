"""Network interfaces: cumulative bytes and packets, received and transmitted, and addresses."""

import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered, switch
from pombo_agent.collecting.netlink import ROUTE, attributes, dump
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, families, family, table

# The order of the columns in /proc/net/dev; see proc_pid_net(5).
_COLUMNS = (
    "receive_bytes",
    "receive_packets",
    "receive_errors",
    "receive_drops",
    "receive_fifo",
    "receive_frame",
    "receive_compressed",
    "receive_multicast",
    "transmit_bytes",
    "transmit_packets",
    "transmit_errors",
    "transmit_drops",
    "transmit_fifo",
    "transmit_collisions",
    "transmit_carrier",
    "transmit_compressed",
)
_HEADS = (b"Inter-", b" face")

# With detailed metrics, some columns have families of other names.
_RENAMED = {
    "receive_errors": "receive_errors",
    "receive_drops": "receive_dropped",
    "transmit_errors": "transmit_errors",
    "transmit_drops": "transmit_dropped",
}
_NOT_RENAMED = {"device", *_COLUMNS}.difference(_RENAMED)
# The families of details, of which /proc/net/dev has sums, and the file of each in the folder
# statistics of an interface.
_DETAILS = {
    "receive_errors": "rx_errors",
    "receive_dropped": "rx_dropped",
    "receive_length_errors": "rx_length_errors",
    "receive_over_errors": "rx_over_errors",
    "receive_crc_errors": "rx_crc_errors",
    "receive_frame_errors": "rx_frame_errors",
    "receive_fifo_errors": "rx_fifo_errors",
    "receive_missed_errors": "rx_missed_errors",
    "transmit_errors": "tx_errors",
    "transmit_dropped": "tx_dropped",
    "transmit_aborted_errors": "tx_aborted_errors",
    "transmit_carrier_errors": "tx_carrier_errors",
    "transmit_fifo_errors": "tx_fifo_errors",
    "transmit_heartbeat_errors": "tx_heartbeat_errors",
    "transmit_window_errors": "tx_window_errors",
    "multicast": "multicast",
    "collisions": "collisions",
}
_HELPS = {name: f"Network device statistic {name}." for name in _DETAILS}
# The columns that are no sums.
_SINGLE = {
    "device",
    "receive_bytes",
    "receive_packets",
    "receive_compressed",
    "receive_nohandler",
    "transmit_bytes",
    "transmit_packets",
    "transmit_compressed",
}

_GET_ADDRESS = 22  # the request RTM_GETADDR
_ADDRESS = struct.Struct("=BB2xI")  # struct ifaddrmsg: family, bits of the network, interface
_OF_PEER, _LOCAL = 1, 2  # attributes
_INFO = "node network address by device"
_INFO_LABELS = ("device", "address", "netmask", "scope")


def collect(sources: Sources) -> list[Section]:
    """Return the ``networks`` section, and the open families that flags add."""
    keeps = sources.flags.filter("device").keeps
    found = parse_net_dev(sources.proc_of_init("net/dev"))
    rows = {device: row for device, row in found.items() if keeps(device)}
    if sources.flags.switch("netlink"):
        # node_exporter asks the kernel by netlink for what net/dev lacks; /sys has it too.
        more = {"receive_nohandler": "rx_nohandler"}
        rows = {d: {**row, **_statistics(sources, d, more)} for d, row in rows.items()}
    details: list[Row] = []
    if sources.flags.switch("enable-detailed-metrics"):
        details = [_details(sources, device, row) for device, row in rows.items()]
        kept = _SINGLE if sources.flags.switch("netlink") else _NOT_RENAMED
        rows = {d: {name: row.get(name) for name in kept} for d, row in rows.items()}
    addresses: list[tuple[Cell, ...]] = []
    if sources.flags.switch("address-info"):
        names = dict(socket.if_nameindex())
        addresses = [*parse_addresses(dump(ROUTE, _GET_ADDRESS, bytes(_ADDRESS.size)), names)]
    return [
        *table("networks", rows.values()),
        *families("node_network_*_total", "counter", _HELPS, ("device",), details),
        *family("node_network_address_info", "gauge", _INFO, _INFO_LABELS, addresses),
    ]


def _details(sources: Sources, device: str, row: Row) -> Row:
    """Return the families that an interface has with detailed metrics alone."""
    if sources.flags.switch("netlink"):
        return {"device": device, **_statistics(sources, device, _DETAILS)}
    return {"device": device, **{new: row[old] for old, new in _RENAMED.items()}}


def _statistics(sources: Sources, device: str, files: Mapping[str, str]) -> dict[str, float | None]:
    """Return the numbers in files about an interface, by column."""
    return sources.values(f"{sources.sysfs}/class/net/{device}/statistics", files)


def parse_net_dev(file: File) -> dict[str, Row]:
    """Return a row for each interface in ``/proc/net/dev``, by name."""
    rows: dict[str, Row] = {}
    for line in file.lines():
        name, colon, counts = line.rpartition(b":")
        words = counts.split()
        if colon and len(words) == len(_COLUMNS):
            device = os.fsdecode(name.strip())
            rows[device] = {
                "device": device,
                **dict(zip(_COLUMNS, file.numbers(words), strict=True)),
            }
        elif not line.startswith(_HEADS):
            file.skip("line", line)
    return rows


def parse_addresses(
    messages: Iterable[bytes], names: Mapping[int, str]
) -> Iterator[tuple[Cell, ...]]:
    """Yield the labels and the value of each address; ``names`` has the interfaces by index."""
    for message in messages:
        kind, bits, interface = _ADDRESS.unpack_from(message)
        found = attributes(message[_ADDRESS.size :])
        packed = found.get(_LOCAL, found.get(_OF_PEER))
        if packed and kind in {socket.AF_INET, socket.AF_INET6}:
            shown = socket.inet_ntop(kind, packed)
            yield names.get(interface, ""), shown, str(bits), _scope(packed), 1


def _scope(packed: bytes) -> str:
    """Return the scope of an address of an interface, as node_exporter names it."""
    if len(packed) == 4:
        is_local = packed[0] == 127 or packed[:2] == bytes((169, 254))
    else:
        is_local = packed == socket.inet_pton(socket.AF_INET6, "::1") or (
            packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
        )
    return "link-local" if is_local else "global"


FLAGS = (
    filtered("device"),
    switch("address-info", "Collect address-info for every device."),
    switch(
        "enable-detailed-metrics",
        "Use (incompatible) metric names that provide more detailed stats.",
    ),
    switch(
        "netlink",
        "Report all that node_exporter has by netlink, which is receive_nohandler too.",
        default=True,
    ),
)
COLLECTORS = [Collector("netdev", collect, flags=FLAGS)]
