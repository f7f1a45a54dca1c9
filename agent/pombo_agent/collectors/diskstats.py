"""Block devices: cumulative operations, bytes and seconds, and their properties."""

from pombo_wire import DiskInfo, Disks, Part

from pombo_agent.collectors.sources import Sources, read_optional, read_text
from pombo_agent.collectors.tables import Row, tables

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
_FEWEST_COLUMNS = 11

# The properties of udev for each column; the first that is not empty counts.
_UDEV = {
    "model": ("ID_MODEL",),
    "path": ("ID_PATH",),
    "revision": ("ID_REVISION",),
    "serial": ("SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"),
    "wwn": ("ID_WWN",),
}


def collect(sources: Sources) -> list[Part]:
    """Return the ``disks`` and ``disk_info`` sections."""
    keeps = sources.filters["diskstats.device"].keeps
    rows = parse_diskstats(read_text(sources.procfs / "diskstats"))
    kept = [row for row in rows if keeps(str(row["device"]))]
    udev = sources.rootfs / "run/udev/data"
    described = (
        {**row, **parse_udev(read_optional(udev / f"b{row['major']}:{row['minor']}") or "")}
        for row in kept
    )
    return tables(Disks, kept) + tables(DiskInfo, described)


def parse_diskstats(text: str) -> list[Row]:
    """Return a row for each line of ``/proc/diskstats``; ``major`` and ``minor`` are texts."""
    rows: list[Row] = []
    for line in text.splitlines():
        major, minor, device, *counts = line.split()
        if len(counts) < _FEWEST_COLUMNS:  # a partition before 2.6.25, with other columns
            continue
        values = {
            column: _in_base_units(column, int(count))
            for column, count in zip(_COLUMNS, counts, strict=False)
        }
        rows.append({"device": device, "major": major, "minor": minor, **values})
    return rows


def _in_base_units(column: str, count: int) -> float:
    if column.endswith("_bytes"):
        return count * _SECTOR_BYTES
    return count / 1000 if column.endswith("_seconds") else count


def parse_udev(text: str) -> dict[str, str]:
    """Return the texts of a file of udev's database, by column of ``disk_info``."""
    lines = (line[2:].partition("=") for line in text.splitlines() if line.startswith("E:"))
    properties = {name: value for name, _, value in lines}
    return {
        label: next((properties[name] for name in names if properties.get(name)), "")
        for label, names in _UDEV.items()
    }
