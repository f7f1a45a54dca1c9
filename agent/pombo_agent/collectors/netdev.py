"""Network interfaces: cumulative bytes and packets, received and transmitted."""

from pombo_wire import Networks, Part

from pombo_agent.collectors.sources import Sources, parse_int, read_as_init, read_optional
from pombo_agent.collectors.tables import Row, tables

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
_NOHANDLER = "statistics/rx_nohandler"  # which net/dev does not have


def collect(sources: Sources) -> list[Part]:
    """Return the ``networks`` section."""
    keeps = sources.filters["netdev.device"].keeps
    rows = parse_net_dev(read_as_init(sources.procfs, "net/dev"))
    classes = sources.sysfs / "class/net"
    return tables(
        Networks,
        (
            {**row, "receive_nohandler": parse_int(read_optional(classes / device / _NOHANDLER))}
            for device, row in rows.items()
            if keeps(device)
        ),
    )


def parse_net_dev(text: str) -> dict[str, Row]:
    """Return a row for each interface in ``/proc/net/dev``, by name."""
    rows: dict[str, Row] = {}
    for line in text.splitlines()[2:]:
        name, _, counts = line.rpartition(":")
        device = name.strip()
        values = zip(_COLUMNS, map(int, counts.split()), strict=True)
        rows[device] = {"device": device, **dict(values)}
    return rows
