"""Network interfaces: what they are and how they are set up."""

from pombo_wire import Interfaces, NetworkInfo, Part

from pombo_agent.collectors.sources import NoDataError, Sources, texts_of, whole
from pombo_agent.collectors.tables import Row, tables

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
_ALL = (*_FILES.values(), *_TEXTS, "speed")

_MEGABIT_BYTES = 125_000


def collect(sources: Sources) -> list[Part]:
    """Return the ``interfaces`` and ``network_info`` sections."""
    keeps = sources.filters["netdev.device"].keeps
    try:
        # A file among them, bonding_masters, is no interface.
        found = sorted(path for path in (sources.sysfs / "class/net").iterdir() if path.is_dir())
    except FileNotFoundError as error:
        raise NoDataError(str(error)) from error
    interfaces = {path.name: texts_of(path, _ALL) for path in found if keeps(path.name)}
    return [
        *tables(Interfaces, (numbers(*interface) for interface in interfaces.items())),
        *tables(NetworkInfo, ({"device": name, **files} for name, files in interfaces.items())),
    ]


def numbers(device: str, files: dict[str, str]) -> Row:
    """Return the row of an interface; what its driver does not tell is absent."""
    row: dict[str, str | float | None] = {
        column: whole(files.get(file)) for column, file in _FILES.items()
    }
    speed = whole(files.get("speed"))
    return {
        "device": device,
        "up": int(files.get("operstate") == "up"),
        "speed": None if speed is None else speed * _MEGABIT_BYTES,
        **row,
    }
