"""Bcachefs: compression, errors and counters of each filesystem, and its devices."""

import os.path
import re
from collections.abc import Iterator

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_SIZE = re.compile(rb"(\d{1,30}(?:\.\d{1,30})?)([kmgtpe]?)", re.IGNORECASE)
_UNITS = {unit: 1024**power for power, unit in enumerate((b"", b"k", b"m", b"g", b"t", b"p", b"e"))}
_NOT_IN_NAMES = re.compile("_*[^0-9A-Za-z_]+_*")
_SINCE_CREATION = b"since filesystem creation:"

_FAMILIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # family: type, HELP text, labels beside that of the filesystem
    "info": ("gauge", "Filesystem information.", ()),
    "btree_cache_size_bytes": ("gauge", "Btree cache memory usage in bytes.", ()),
    "compression_compressed_bytes": ("gauge", "Compressed size by algorithm.", ("algorithm",)),
    "compression_uncompressed_bytes": ("gauge", "Uncompressed size by algorithm.", ("algorithm",)),
    "errors_total": ("counter", "Error count by error type.", ("error_type",)),
    "btree_writes_total": ("counter", "Number of btree writes by type.", ("type",)),
    "btree_write_average_size_bytes": ("gauge", "Average btree write size by type.", ("type",)),
    "device_info": ("gauge", "Device information.", ("device", "label", "state")),
    "device_bucket_size_bytes": ("gauge", "Bucket size in bytes.", ("device",)),
    "device_buckets": ("gauge", "Total number of buckets.", ("device",)),
    "device_durability": ("gauge", "Device durability setting.", ("device",)),
    "device_io_done_bytes_total": (
        "counter",
        "IO bytes by operation type and data type.",
        ("device", "operation", "data_type"),
    ),
    "device_io_errors_total": ("counter", "IO errors by error type.", ("device", "type")),
}

# What the sections of the files "io_done" and "io_errors" begin with.
_OPERATIONS, _PERIODS = (b"read:", b"write:"), (b"IO errors since ",)

#: The family, the texts of its labels but that of the filesystem, and the value.
Sample = tuple[Cell, ...]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_bcachefs_*``."""
    path = f"{sources.sysfs}/fs/bcachefs"
    uuids = [uuid for uuid in sources.names(path) if os.path.isdir(f"{path}/{uuid}")]
    if not uuids:
        raise NoDataError("no Bcachefs")
    samples: dict[Cell, list[Sample]] = {name: [] for name in _FAMILIES}
    counters: list[Row] = []
    helps: dict[str, str] = {}
    for uuid in uuids:
        for name, *sample in _filesystem(sources, f"{path}/{uuid}"):
            samples[name].append((uuid, *sample))
        found = _counters(sources, f"{path}/{uuid}/counters")
        columns = {name: _NOT_IN_NAMES.sub("_", name) for name in found}
        helps |= {
            columns[name]: f"Bcachefs counter {name} since filesystem creation." for name in found
        }
        counters.append({"uuid": uuid} | {columns[name]: found[name] for name in found})
    sections = families("node_bcachefs_*_total", "counter", helps, ("uuid",), counters)
    for name, (kind, text, labels) in _FAMILIES.items():
        rows = samples[name]
        sections += family(f"node_bcachefs_{name}", kind, text, ("uuid", *labels), rows)
    return sections


def _filesystem(sources: Sources, path: str) -> Iterator[Sample]:
    """Yield the samples of a filesystem, and of its devices."""
    yield "info", 1
    yield "btree_cache_size_bytes", _size_in(sources, f"{path}/btree_cache_size")
    if file := sources.optional(f"{path}/compression_stats"):
        for algorithm, compressed, uncompressed in parse_table(file):
            yield "compression_compressed_bytes", algorithm, compressed
            yield "compression_uncompressed_bytes", algorithm, uncompressed
    if file := sources.optional(f"{path}/errors"):
        for words in file.words(2):
            yield "errors_total", decoded(words[0]), file.number(words[1])
    if file := sources.optional(f"{path}/btree_write_stats"):
        for kind, writes, average in parse_table(file):
            yield "btree_writes_total", kind, writes
            yield "btree_write_average_size_bytes", kind, average
    for name in sources.names(path, "dev-"):
        for family_name, *sample in _device(sources, f"{path}/{name}"):
            yield family_name, name.removeprefix("dev-"), *sample


def _device(sources: Sources, path: str) -> Iterator[Sample]:
    """Yield the samples of a device."""
    yield "device_info", sources.text(f"{path}/label"), sources.text(f"{path}/state"), 1
    yield "device_bucket_size_bytes", _size_in(sources, f"{path}/bucket_size")
    yield "device_buckets", sources.value(f"{path}/nbuckets")
    yield "device_durability", sources.value(f"{path}/durability")
    if file := sources.optional(f"{path}/io_done"):
        for section, kind, value in parse_sections(file, _OPERATIONS):
            if section:
                yield "device_io_done_bytes_total", section, kind, value
    if file := sources.optional(f"{path}/io_errors"):
        for section, kind, value in parse_sections(file, _PERIODS):
            if section == "IO errors since filesystem creation":
                yield "device_io_errors_total", kind, value


def _counters(sources: Sources, path: str) -> dict[str, float | None]:
    """Return the counters of a filesystem by name, each since it was made."""
    found: dict[str, float | None] = {}
    for name in sources.names(path):
        if file := sources.optional(f"{path}/{name}"):
            for line in file.lines():
                if line.startswith(_SINCE_CREATION):
                    found[name] = size(file, line.removeprefix(_SINCE_CREATION))
    return found


def _size_in(sources: Sources, path: str) -> float | None:
    file = sources.optional(path)
    return None if file is None else size(file, file.data)


def parse_table(file: File) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield the name and the first two sizes of each line but that of titles."""
    for at, line in enumerate(file.data.split(b"\n")):
        words = line.split()
        if len(words) > 2 and (at or _SIZE.fullmatch(words[1])):
            yield decoded(words[0].removesuffix(b":")), size(file, words[1]), size(file, words[2])


def parse_sections(
    file: File, sections: tuple[bytes, ...]
) -> Iterator[tuple[str, str, float | None]]:
    """Yield the section, the name and the number of each line.

    The first line of a section begins as one of ``sections``.
    """
    section = ""
    for line in file.lines():
        name, colon, value = line.partition(b":")
        if line.startswith(sections):
            section = decoded(name)
        elif colon:
            yield section, decoded(name.strip()), file.number(value)
        else:
            file.skip("line", line)


def size(file: File, text: bytes) -> float | None:
    """Return a size such as ``1.5k`` in whole bytes."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        file.skip("value", text)
        return None
    number = file.number(found[1])
    return number and int(number * _UNITS[found[2].lower()])


COLLECTORS = [Collector("bcachefs", collect, enabled=False)]
