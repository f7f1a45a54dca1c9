"""Network interfaces: properties and settings."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, table

# Each column's file in /sys/class/net/<interface>.
_FILES = {
    "carrier": "carrier",
    "carrier_changes": "carrier_changes",
    "carrier_up_changes": "carrier_up_count",
    "carrier_down_changes": "carrier_down_count",
    "mtu": "mtu",
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
            interfaces.append(_interface(sources, path, device, found.get("operstate")))
    return [*table("interfaces", interfaces), *table("network_info", texts)]


def _interface(sources: Sources, path: str, device: str, operstate: str | None) -> Row:
    """Return the row of an interface; a value that its driver does not have is ``None``."""
    speed = sources.value(f"{path}/speed")
    return {
        "device": device,
        "up": int(operstate == "up"),
        "speed": None if speed is None else speed * _MEGABIT_BYTES,
        **sources.values(path, _FILES),
    }


FLAGS = (pattern("ignored-devices", "^$", "Regexp of net devices to ignore."),)
COLLECTORS = [Collector("netclass", collect, flags=FLAGS)]
