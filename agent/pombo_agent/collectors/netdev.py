"""Network interfaces: cumulative bytes and packets, received and transmitted."""

import os

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, table

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
_NOHANDLER = "statistics/rx_nohandler"  # which net/dev does not have


def collect(sources: Sources) -> list[Section]:
    """Return the ``networks`` section."""
    keeps = sources.flags.filter("device").keeps
    classes = f"{sources.sysfs}/class/net"
    rows = parse_net_dev(sources.proc_of_init("net/dev"))
    kept = {device: row for device, row in rows.items() if keeps(device)}
    return table(
        "networks",
        (
            {**row, "receive_nohandler": sources.value(f"{classes}/{device}/{_NOHANDLER}")}
            for device, row in kept.items()
        ),
    )


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


FLAGS = (filtered("device"),)
COLLECTORS = [Collector("netdev", collect, flags=FLAGS)]
