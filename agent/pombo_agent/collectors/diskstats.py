"""Block devices: cumulative operations, bytes and seconds, and their properties."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, table

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

# What a column is multiplied or divided by, to bytes or seconds.
_FACTORS = [_SECTOR_BYTES if column.endswith("_bytes") else 1 for column in _COLUMNS]
_DIVISORS = [1000 if column.endswith("_seconds") else 1 for column in _COLUMNS]

# The properties of udev for each column; the first that is not empty counts.
_UDEV = {
    "model": ("ID_MODEL",),
    "path": ("ID_PATH",),
    "revision": ("ID_REVISION",),
    "serial": ("SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"),
    "wwn": ("ID_WWN",),
}


_PARTITIONS_LOOP_AND_RAM = (
    r"(fd|loop|ram)\d+",
    r"[hsv]d[a-z]\d+",
    r"xvd[a-z]\d+",
    r"nvme\d+n\d+p\d+",
)

FLAGS = (filtered("device", f"^({'|'.join(_PARTITIONS_LOOP_AND_RAM)})$"),)


def collect(sources: Sources) -> list[Section]:
    """Return the ``disks`` and ``disk_info`` sections."""
    keeps = sources.flags.filter("device").keeps
    rows = parse_diskstats(sources.proc("diskstats"))
    kept = [row for row in rows if keeps(str(row["device"]))]
    udev = sources.udev
    described = []
    for row in kept:
        file = sources.optional(f"{udev}/b{row['major']!s}:{row['minor']!s}")
        described.append({**row, **parse_udev(file)} if file else row)
    return table("disks", kept) + table("disk_info", described)


def parse_diskstats(file: File) -> list[Row]:
    """Return a row for each line of ``/proc/diskstats``; ``major`` and ``minor`` are texts."""
    rows: list[Row] = []
    for words in file.words(_FEWEST_WORDS):
        major, minor, device = map(decoded, words[:3])
        row: dict[str, Cell] = {"device": device, "major": major, "minor": minor}
        counts = file.numbers(words[3 : 3 + len(_COLUMNS)])
        for column, count, factor, divisor in zip(
            _COLUMNS, counts, _FACTORS, _DIVISORS, strict=False
        ):
            if count is None or divisor == 1:
                row[column] = count and count * factor
            else:
                row[column] = count / divisor
        rows.append(row)
    return rows


def parse_udev(file: File) -> dict[str, str]:
    """Return the texts of a file of udev's database, by column of ``disk_info``."""
    lines = (line[2:].partition(b"=") for line in file.lines() if line.startswith(b"E:"))
    properties = {decoded(name): decoded(value) for name, _, value in lines}
    return {
        label: next((properties[name] for name in names if properties.get(name)), "")
        for label, names in _UDEV.items()
    }


COLLECTORS = [Collector("diskstats", collect, flags=FLAGS)]
