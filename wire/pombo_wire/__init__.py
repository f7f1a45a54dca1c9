"""The contract between agents and the exporter: the report, its encoding and its bounds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pombo_wire.codec import encode
    from pombo_wire.limits import MAX_DATAGRAM_BYTES
    from pombo_wire.reasons import DecodeError, Reason
    from pombo_wire.reports import Part, ReportSplitter, split
    from pombo_wire.schema import (
        DEFAULT_INTERVAL_SECONDS,
        MAPS,
        RESERVED_LABELS,
        SECTIONS,
        Arp,
        Build,
        ClockSources,
        Collectors,
        ContainerDisks,
        Containers,
        CoolingDevices,
        Cpu,
        DiskInfo,
        Disks,
        Dmi,
        Extra,
        Fans,
        Filesystems,
        Header,
        Info,
        Interfaces,
        Memory,
        NetworkInfo,
        Networks,
        OpenFamily,
        OperatingSystem,
        Pressure,
        Process,
        Processes,
        Record,
        Report,
        SensorChips,
        SensorLabels,
        Softnet,
        Swap,
        System,
        Table,
        Temperatures,
        Textfile,
        Textfiles,
        ThermalZones,
        Timex,
        TimeZone,
        UdpQueues,
        Uname,
    )

__all__ = [
    "DEFAULT_INTERVAL_SECONDS",
    "MAPS",
    "MAX_DATAGRAM_BYTES",
    "RESERVED_LABELS",
    "SECTIONS",
    "Arp",
    "Build",
    "ClockSources",
    "Collectors",
    "ContainerDisks",
    "Containers",
    "CoolingDevices",
    "Cpu",
    "DecodeError",
    "DiskInfo",
    "Disks",
    "Dmi",
    "Extra",
    "Fans",
    "Filesystems",
    "Header",
    "Info",
    "Interfaces",
    "Memory",
    "NetworkInfo",
    "Networks",
    "OpenFamily",
    "OperatingSystem",
    "Part",
    "Pressure",
    "Process",
    "Processes",
    "Reason",
    "Record",
    "Report",
    "ReportSplitter",
    "SensorChips",
    "SensorLabels",
    "Softnet",
    "Swap",
    "System",
    "Table",
    "Temperatures",
    "Textfile",
    "Textfiles",
    "ThermalZones",
    "TimeZone",
    "Timex",
    "UdpQueues",
    "Uname",
    "encode",
    "split",
]

_HOMES = {
    "DecodeError": "reasons",
    "MAX_DATAGRAM_BYTES": "limits",
    "Part": "reports",
    "Reason": "reasons",
    "ReportSplitter": "reports",
    "encode": "codec",
    "split": "reports",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: an agent sends without the types of the schema, which are large."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'schema')}"), name)
