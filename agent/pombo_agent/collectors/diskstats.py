"""Block devices: cumulative operations, bytes and seconds, and their properties."""

from collections.abc import Mapping

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, families, family, table

_SECTOR_BYTES = 512  # in this file, also where the device has larger sectors

# The order of the columns in /proc/diskstats, where sizes are in sectors and times in
# milliseconds; see the kernel's iostats.rst. Kernels before 4.18 have 11, before 5.5 they have 15.
_COLUMNS = (
    "reads",
    "reads_merged",
    "read_bytes",
    "read_seconds",
    "writes",
    "writes_merged",
    "written_bytes",
    "write_seconds",
    "io_now",
    "io_seconds",
    "io_weighted_seconds",
    "discards",
    "discards_merged",
    "discarded_sectors",
    "discard_seconds",
    "flushes",
    "flush_seconds",
)
_FEWEST_WORDS = 3 + 11

# What a column is multiplied by, to bytes or seconds. node_exporter multiplies milliseconds too,
# which rounds otherwise than dividing: its 21650 ms are 21.650000000000002 s.
_FACTORS = [
    _SECTOR_BYTES if column.endswith("_bytes") else 0.001 if column.endswith("_seconds") else 1
    for column in _COLUMNS
]

# The property of udev for each column of ``disk_info``.
_UDEV = {
    "model": b"ID_MODEL",
    "path": b"ID_PATH",
    "revision": b"ID_REVISION",
    "serial": b"ID_SERIAL_SHORT",
    "wwn": b"ID_WWN",
}

# The properties of udev for each label; a device without the first has no such family.
_FILESYSTEM = {
    "type": b"ID_FS_TYPE",
    "usage": b"ID_FS_USAGE",
    "uuid": b"ID_FS_UUID",
    "version": b"ID_FS_VERSION",
}
_DEVICE_MAPPER = {
    "name": b"DM_NAME",
    "uuid": b"DM_UUID",
    "vg_name": b"DM_VG_NAME",
    "lv_name": b"DM_LV_NAME",
    "lv_layer": b"DM_LV_LAYER",
}

# The properties of ATA disks, which have the property ID_ATA.
_ATA = {
    "rotation_rate_rpm": b"ID_ATA_ROTATION_RATE_RPM",
    "write_cache": b"ID_ATA_WRITE_CACHE",
    "write_cache_enabled": b"ID_ATA_WRITE_CACHE_ENABLED",
}
_ATA_HELP = {
    "rotation_rate_rpm": "ATA disk rotation rate in RPMs (0 for SSDs).",
    "write_cache": "ATA disk has a write cache.",
    "write_cache_enabled": "ATA disk has its write cache enabled.",
}

#: The properties of a device in udev's database.
Properties = dict[bytes, bytes]

_PARTITIONS_LOOP_AND_RAM = (
    r"(fd|loop|ram)\d+",
    r"[hsv]d[a-z]\d+",
    r"xvd[a-z]\d+",
    r"nvme\d+n\d+p\d+",
)

FLAGS = (filtered("device", f"^({'|'.join(_PARTITIONS_LOOP_AND_RAM)})$"),)


def collect(sources: Sources) -> list[Section]:
    """Return the ``disks`` and ``disk_info`` sections, and what else udev knows of each device."""
    keeps = sources.flags.filter("device").keeps
    rows = parse_diskstats(sources.proc("diskstats"))
    kept = [row for row in rows if keeps(str(row["device"]))]
    described: list[Row] = []
    ata: list[Row] = []
    known: dict[str, Properties] = {}
    for row in kept:
        file = sources.optional(f"{sources.udev}/b{row['major']!s}:{row['minor']!s}")
        found = parse_udev(file) if file else {}
        described.append({**row, **disk_info(found)})
        known[str(row["device"])] = found
        if file and found.get(b"ID_ATA"):
            values = {name: file.number(found[key]) for name, key in _ATA.items() if key in found}
            ata.append({"device": row["device"], **values})
    return [
        *table("disks", kept),
        *table("disk_info", described),
        *_info("filesystem", "Info about disk filesystem.", _FILESYSTEM, known),
        *_info("device_mapper", "Info about disk device mapper.", _DEVICE_MAPPER, known),
        *_backing_devices(sources, known),
        *families("node_disk_ata_*", "gauge", _ATA_HELP, ("device",), ata),
    ]


def _info(
    name: str, text: str, labels: Mapping[str, bytes], known: Mapping[str, Properties]
) -> list[Section]:
    """Return the family ``node_disk_NAME_info`` of the devices that have its first property."""
    first, *_ = labels.values()
    rows: list[tuple[Cell, ...]] = [
        (device, *(found.get(key, b"") for key in labels.values()), 1)
        for device, found in known.items()
        if found.get(first)
    ]
    return family(f"node_disk_{name}_info", "gauge", text, ("device", *labels), rows)


def _backing_devices(sources: Sources, known: Mapping[str, Properties]) -> list[Section]:
    """Return the devices below each one of the device mapper."""
    mapped = [device for device, found in known.items() if found.get(b"DM_NAME")]
    return family(
        "node_disk_device_mapper_backing_device_info",
        "gauge",
        "Info about the underlying block devices of a device mapper device.",
        ("device", "backing_device"),
        [
            (device, backing, 1)
            for device in mapped
            for backing in sources.names(f"{sources.sysfs}/block/{device}/slaves")
        ],
    )


def parse_diskstats(file: File) -> list[Row]:
    """Return a row for each line of ``/proc/diskstats``; ``major`` and ``minor`` are texts."""
    rows: list[Row] = []
    for words in file.words(_FEWEST_WORDS):
        major, minor, device = map(decoded, words[:3])
        row: dict[str, Cell] = {"device": device, "major": major, "minor": minor}
        file.numbers(words[:2])  # counted where they are none, since udev's file is not found then
        counts = file.numbers(words[3 : 3 + len(_COLUMNS)])
        for column, count, factor in zip(_COLUMNS, counts, _FACTORS, strict=False):
            row[column] = count and count * factor
        rows.append(row)
    return rows


def parse_udev(file: File) -> Properties:
    """Return the properties in a file of udev's database."""
    lines = (line[2:].partition(b"=") for line in file.lines() if line.startswith(b"E:"))
    return {name: value for name, equals, value in lines if equals}


def disk_info(found: Properties) -> dict[str, Cell]:
    """Return the texts of ``disk_info`` that udev knows."""
    return {label: found.get(name, b"") for label, name in _UDEV.items()}


COLLECTORS = [Collector("diskstats", collect, flags=FLAGS)]
