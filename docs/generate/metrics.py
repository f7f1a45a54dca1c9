"""Write docs/metrics.md from the tables of families, so that it is never out of date.

Usage: ``python docs/generate/metrics.py > docs/metrics.md``
"""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pombo_exporter.hosts.roster import Limits, Roster
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.metrics.exporter import ExporterMetrics
from pombo_exporter.metrics.family import Family, HostField, OpenFamily, Source
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.metrics.node_families import UNSUPPORTED
from pombo_exporter.stats import Counters, ReceiveBuffer

_UNITS = (
    ("_bytes_per_second", "bytes per second"),
    ("_packets_per_second", "packets per second"),
    ("_bytes_total", "bytes"),
    ("_seconds_total", "seconds"),
    ("_bytes", "bytes"),
    ("_seconds", "seconds"),
    ("_celsius", "degrees Celsius"),
    ("_hertz", "hertz"),
    ("_ratio", "ratio"),
    ("_bits", "bits"),
    ("_rpm", "revolutions per minute"),
    ("_info", ""),
)

_HEAD = """# Metrics

Made by `make docs` from the exporter's own tables; do not edit.

Every family of a host has the label `instance`, which is the host's name. Samples carry no
timestamp. A family, or a sample of it, that a host does not have is absent, never 0: so are
rates until a session's second report has come, and for a row whose counter fell.
"""

_OWN = """
## The exporter's own

Families of prometheus_client (`process_*`, `python_*`) stand beside these.

| family | type | labels | unit | meaning |
|---|---|---|---|---|
"""

_TITLES = (
    ("pombo_host_", "Of each host, by the exporter", "the exporter"),
    ("host_", "Of each host, as gauges", ""),
    ("node_", "Of each host, in node_exporter's words", ""),
)

_MAPS = """
## Families that hosts name

Each name in such a map of a report makes a family: the prefix, then the name.

| prefix | type | labels | source | meaning |
|---|---|---|---|---|
"""

#: What node_exporter 1.5 shows with its default collectors on a Debian 12 with Linux 6.18.
_THEIRS = Path(__file__).with_name("node_exporter_families.txt")

_COMMON = """
## In common with node_exporter

Of the {total} families that Debian's node_exporter 1.5 shows with its default collectors on a
virtual machine with Linux 6.18, {count} are here, with the same types, labels and values;
`tests/integration/test_node_exporter.py` compares them on the machine that it runs on:

"""

_MISSING = """
### What is missing, and why

| family | why |
|---|---|
"""

_HARDWARE = """
Other machines show more. Of the hardware monitor there are temperatures, fans and the names
of chips and sensors, not voltages, currents, powers and alarms; of the firmware no serial
numbers, which only root may read and which have no place in a datagram that is not encrypted.
There is no collector for what only some machines have: bcache, bonding, btrfs, cpufreq, edac,
fibrechannel, infiniband, ipvs, mdadm, nfs, nfsd, nvme, powersupplyclass, rapl, schedstat,
systemd, tapestats, textfile, xfs, zfs.

Debian's package leaves out `lo` and what is mounted under `/media`, `/mnt` and `/run`; Pombo
shows them, as node_exporter does elsewhere.
"""


def unit(name: str) -> str:
    """Return the unit that a family's name tells."""
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "")


def labels(source: Source) -> list[str]:
    """Return the names of the labels of a source's samples."""
    owners = ["the owner's"] if isinstance(source, HostField) and source.info else []
    return ["instance", *source.label_names, *owners]


def origin(sources: tuple[Source, ...]) -> str:
    """Return the fields of the wire that the samples come from."""
    return ", ".join(f"`{name}`" for source in sources for name in source.wire_fields) or (
        "the exporter"
    )


def family_row(family: Family) -> str:
    """Return a family's line of the table."""
    names = ", ".join(
        f"`{name}`" if " " not in name else name for name in labels(family.sources[0])
    )
    cells = (f"`{family.name}`", family.type, names, unit(family.name), origin(family.sources))
    return f"| {' | '.join(cells)} | {family.help} |"


def map_row(family: OpenFamily) -> str:
    """Return a map's line of the table."""
    prefix = f"`{family.prefix}`" if family.prefix else "none"
    meaning = family.help.replace("{}", "*name*")
    return f"| {prefix} | {family.type} | `instance` | `{family.section}` | {meaning} |"


def own_rows() -> Iterator[str]:
    """Yield the lines of the exporter's own families."""
    roster = Roster(Limits(), family_table(node=True).series_of(), lambda *_: None, 0.0)
    intake, buffer = Intake(roster, lambda: 0.0), ReceiveBuffer(0, 0)
    stats = Counters(roster, intake, lambda: 0, buffer, 0.0, 0.0).read(0.0, 0.0)
    metrics = ExporterMetrics()
    for family in metrics.registry(stats, {}, metrics.capture()).collect():
        if not family.name.startswith("pombo_"):
            continue
        names = sorted({name for sample in family.samples for name in sample.labels})
        ending = "_total" if family.type == "counter" else "_info" if family.type == "info" else ""
        name = family.name + ending
        cells = (f"`{name}`", family.type, ", ".join(f"`{n}`" for n in names), unit(name))
        yield f"| {' | '.join(cells)} | {family.documentation} |"


def comparison() -> Iterator[str]:
    """Yield which of node_exporter's families are here, and why the others are not.

    Raises:
        SystemExit: when a family is neither here nor explained.
    """
    everything = family_table(node=True)
    here = {family.name for family in everything.families}
    prefixes = tuple(family.prefix for family in everything.open_families if family.prefix)
    theirs = _THEIRS.read_text(encoding="ascii").split()
    common = [name for name in theirs if name in here or name.startswith(prefixes)]
    for name in theirs:
        if name not in common and name not in UNSUPPORTED:
            sys.exit(f"{name} is not here: say why in UNSUPPORTED of node_families")
    yield _COMMON.format(total=len(theirs), count=len(common))
    yield (
        textwrap.fill(", ".join(f"`{name}`" for name in common) + ".", 100, break_on_hyphens=False)
        + "\n"
    )
    yield _MISSING
    yield from (f"| `{name}` | {why} |\n" for name, why in UNSUPPORTED.items())
    yield _HARDWARE


def document() -> str:
    """Return the whole of docs/metrics.md."""
    everything = family_table(node=True)
    parts = [_HEAD]
    for prefix, title, _ in _TITLES:
        parts.append(f"\n## {title}\n\n")
        parts.append(
            "| family | type | labels | unit | source | meaning |\n|---|---|---|---|---|---|\n"
        )
        rows = [family_row(f) for f in everything.families if f.name.startswith(prefix)]
        parts.append("\n".join(rows) + "\n")
    parts += [_MAPS, "\n".join(map(map_row, everything.open_families)), "\n"]
    parts += comparison()
    parts += [_OWN, "\n".join(own_rows()), "\n"]
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(document())
