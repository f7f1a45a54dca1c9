"""Network interfaces: properties and settings."""

from pombo_wire import Interfaces, NetworkInfo, Part

from pombo_agent.collectors.sources import NoDataError, Sources, parse_int, read_texts
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
        # The file bonding_masters in this folder is no interface.
        found = sorted(path for path in (sources.sysfs / "class/net").iterdir() if path.is_dir())
    except FileNotFoundError as error:
        raise NoDataError(str(error)) from error
    interfaces = {path.name: read_texts(path, _ALL) for path in found if keeps(path.name)}
    return [
        *tables(Interfaces, (interface_row(*interface) for interface in interfaces.items())),
        *tables(NetworkInfo, ({"device": name, **files} for name, files in interfaces.items())),
    ]


def interface_row(device: str, files: dict[str, str]) -> Row:
    """Return the row of an interface; a value that its driver does not have is ``None``."""
    row: dict[str, str | float | None] = {
        column: parse_int(files.get(file)) for column, file in _FILES.items()
    }
    speed = parse_int(files.get("speed"))
    return {
        "device": device,
        "up": int(files.get("operstate") == "up"),
        "speed": None if speed is None else speed * _MEGABIT_BYTES,
        **row,
    }
