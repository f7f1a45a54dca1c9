"""Network interfaces: properties and settings."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern, switch
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, table

# Each column's file in /sys/class/net/<interface>.
_FILES = {
    "carrier": "carrier",
    "carrier_changes": "carrier_changes",
    "carrier_up_changes": "carrier_up_count",
    "carrier_down_changes": "carrier_down_count",
    "mtu": "mtu",
    "speed": "speed",
    "transmit_queue_length": "tx_queue_len",
    "flags": "flags",
    "dormant": "dormant",
    "address_assign_type": "addr_assign_type",
    "device_id": "dev_id",
    "iface_id": "ifindex",
    "iface_link": "iflink",
    "iface_link_mode": "link_mode",
    "name_assign_type": "name_assign_type",
    "net_dev_group": "netdev_group",
    "protocol_type": "type",
}
_TEXTS = ("address", "broadcast", "duplex", "ifalias", "operstate")

_MEGABIT_BYTES = 125_000


def collect(sources: Sources) -> list[Section]:
    """Return the ``interfaces`` and ``network_info`` sections."""
    ignored = sources.flags.pattern("ignored-devices")
    least_speed = 0 if sources.flags.switch("ignore-invalid-speed") else float("-inf")
    classes = f"{sources.sysfs}/class/net"
    if not os.path.isdir(classes):
        raise NoDataError("no network interfaces in /sys")
    interfaces: list[Row] = []
    texts: list[Row] = []
    for device in sources.names(classes):
        path = f"{classes}/{device}"
        if not ignored.search(device) and os.path.isdir(
            path
        ):  # the file bonding_masters in this folder is no interface
            found = sources.texts(path, _TEXTS)
            texts.append({"device": device, **found})
            values = sources.values(path, _FILES)
            values["speed"] = _speed(values["speed"], least_speed)
            up = int(found.get("operstate") == "up")
            interfaces.append({"device": device, "up": up, **values})
    return [*table("interfaces", interfaces), *table("network_info", texts)]


def _speed(megabits: float | None, least: float) -> float | None:
    """Return a speed in bytes per second; some drivers have -1 where they do not know it."""
    return None if megabits is None or megabits < least else megabits * _MEGABIT_BYTES


FLAGS = (
    pattern("ignored-devices", "^$", "Regexp of net devices to ignore."),
    switch("ignore-invalid-speed", "Omit the speed of devices where it is invalid."),
    switch("netlink", "Accepted, as node_exporter has it; /sys has all that netlink has."),
)
COLLECTORS = [Collector("netclass", collect, flags=FLAGS)]
