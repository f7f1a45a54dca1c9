"""Compute several exporters from measured slopes, and write the tables into docs/sizing.md.

Usage: ``python docs/generate/sizing.py [--hosts=N] [--replicas=R] [--core=PRICE] …`` prints them
for other hosts and prices; with ``--write`` it writes those of the document.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/sizing.md"
RESULTS = ROOT / "bench/report/results.json"
FLEETS = ROOT / "bench/fleets/README.md"

_FLEET = "fleet `few`"
TIMES = "\N{MULTIPLICATION SIGN}"
_HEADERS = 28  # bytes of IPv4 and UDP
_OWN = 57 * 2**20  # bytes of an exporter without hosts
_CORES = 2  # for an exporter; the second one is for the kernel's part
_MONTH = 30.4 * 86_400  # seconds
_GIB, _TB = 2**30, 1e12

_BEGIN, _END = "<!-- begin of what docs/generate/sizing.py writes -->", "<!-- end -->"


@dataclass(frozen=True)
class Slopes:
    """What a host of full size costs an exporter; CPU in seconds, memory in bytes."""

    datagrams: float  # of a report
    bytes: float  # of a report, without headers
    samples: float
    datagram_cpu: float  # of a datagram
    sample_cpu: float  # of a sample of a scrape
    memory: float  # of a host
    without_node: float  # the share of samples that are not `node_*`


@dataclass(frozen=True)
class Assumptions:
    """What nobody has measured here; prices are in dollars for a month."""

    hosts: float = 1_000_000
    replicas: float = 2
    share: float = 0.5  # of a core that an exporter may use
    sent: float = 10.0  # bytes of a sample in a scrape, with gzip
    stored: float = 1.3  # bytes of a sample in the store, compressed
    months: float = 1.0  # for which samples are kept
    copies: float = 2  # of each sample in the store
    store_rate: float = 150_000  # samples a second that a core of the store takes
    machine: float = 8  # cores of a machine that runs exporters
    core: float = 25.0
    gib: float = 3.0  # of memory
    tb: float = 80.0  # of disk


@dataclass(frozen=True)
class Case:
    """A column of the table: seconds between reports and scrapes, and the samples that are kept."""

    title: str
    interval: float
    node_too: bool = True


CASES = (
    Case("5 s", 5),
    Case("15 s", 15),
    Case("15 s, no `node_*`", 15, node_too=False),
    Case("60 s", 60),
    Case("60 s, no `node_*`", 60, node_too=False),
)


def slopes() -> Slopes:
    """Return the slopes that the benchmark has measured.

    Two runs differ only in how often they were scraped. So the difference of their CPU is that of
    the scrapes, and the rest is that of the datagrams.
    """
    cases = json.loads(RESULTS.read_text(encoding="utf-8"))
    seldom, often = (
        _found(cases, "under_load", f"10,000 hosts every 5 s, scraped with gzip every {every} s by")
        for every in (10, 5)
    )
    samples = _number(often, r"([\d,]+) samples")
    cores = [_number(row, r"([\d.]+)% of a core") / 100 for row in (seldom, often)]
    sample_cpu = (cores[1] - cores[0]) / (samples / 5 - samples / 10)
    datagram_cpu = (cores[1] - sample_cpu * samples / 5) / (10_000 / 5)
    memory = _found(cases, "memory, hosts of a few shapes", "10,000 hosts after 12 reports")
    fleet = FLEETS.read_text("utf-8")
    [cells] = re.findall(rf"^\| {_FLEET} \|(.*)\|$", fleet, re.MULTILINE)
    datagrams, _, _, samples, _, of_node, kilobytes = (
        float(cell.replace(",", "")) for cell in cells.split("|")
    )
    return Slopes(
        datagrams=datagrams,
        bytes=kilobytes * 1000,
        samples=samples,
        datagram_cpu=datagram_cpu,
        sample_cpu=sample_cpu,
        memory=_number(memory, r"([\d,]+) MiB") * 2**20 / 10_000,
        without_node=1 - of_node / samples,
    )


def _found(cases: dict[str, Any], case: str, what: str) -> str:
    """Return the figure of the row of a case that begins with a text."""
    [figure] = [row["figure"] for row in cases[case]["rows"] if row["what"].startswith(what)]
    return str(figure)


def _number(text: str, pattern: str) -> float:
    [found] = re.findall(pattern, text)
    return float(found.replace(",", ""))


@dataclass(frozen=True)
class Fleet:
    """All exporters of a fleet, in one case."""

    of: Slopes
    given: Assumptions
    case: Case

    @property
    def reports(self) -> float:
        """Reports a second, at all exporters."""
        return self.given.hosts * self.given.replicas / self.case.interval

    @property
    def samples(self) -> float:
        """Samples of a host."""
        return self.of.samples * (1 if self.case.node_too else self.of.without_node)

    @property
    def scraped(self) -> float:
        """Samples a second, of all exporters."""
        return self.reports * self.samples

    @property
    def cores(self) -> float:
        """Cores that all exporters use."""
        return (
            self.reports * self.of.datagrams * self.of.datagram_cpu
            + self.scraped * self.of.sample_cpu
        )

    @property
    def exporters(self) -> float:
        """Exporters, each of which uses its share of a core."""
        return -(-self.cores // self.given.share)

    @property
    def machines(self) -> float:
        """Machines, on each of which an exporter has two cores."""
        return -(-self.exporters * _CORES // self.given.machine)

    @property
    def memory(self) -> float:
        """Bytes of all exporters at their peak."""
        return self.exporters * _OWN + self.given.hosts * self.given.replicas * self.of.memory

    @property
    def report_bits(self) -> float:
        """Bits a second of all reports, with headers of IPv4."""
        return self.reports * 8 * (self.of.bytes + self.of.datagrams * _HEADERS)

    @property
    def scrape_bits(self) -> float:
        """Bits a second of all scrapes, with gzip."""
        return self.scraped * 8 * self.given.sent

    @property
    def stored(self) -> float:
        """Samples a second that the store keeps: each once, whatever exporter it is from."""
        return self.scraped / self.given.replicas

    @property
    def disk(self) -> float:
        """Bytes of all copies in the store."""
        given = self.given
        return self.stored * _MONTH * given.months * given.stored * given.copies

    @property
    def store_cores(self) -> float:
        """Cores of the store, which takes the samples of all exporters before it drops some."""
        return self.scraped / self.given.store_rate

    @property
    def exporter_price(self) -> float:
        """Dollars a month for all exporters, each on two cores."""
        return _CORES * self.exporters * self.given.core + self.memory / _GIB * self.given.gib

    @property
    def store_price(self) -> float:
        """Dollars a month for the store's cores and disks."""
        return self.store_cores * self.given.core + self.disk / _TB * self.given.tb


#: The rows: what, how a figure is shown, and its formula.
_ROWS: tuple[tuple[str, Callable[[Fleet], str], str], ...] = (
    ("reports a second", lambda it: f"{it.reports:,.0f}", "hosts * replicas / interval"),
    (
        "samples a second",
        lambda it: f"{it.scraped / 1e6:,.1f} million",
        "reports a second * samples",
    ),
    (
        "cores used",
        lambda it: f"{it.cores:,.0f}",
        "reports a second * datagrams * CPU of a datagram + samples a second * CPU of a sample",
    ),
    ("exporters", lambda it: f"{it.exporters:,.0f}", "cores used / share of a core"),
    (
        "machines",
        lambda it: f"{it.machines:,.0f}",
        "2 cores * exporters / cores of a machine",
    ),
    (
        "hosts of an exporter",
        lambda it: f"{it.given.hosts * it.given.replicas / it.exporters:,.0f}",
        "hosts * replicas / exporters",
    ),
    (
        "memory of all exporters",
        lambda it: f"{it.memory / _GIB:,.0f} GiB",
        "exporters * 57 MiB + hosts * replicas * memory of a host",
    ),
    (
        "network, reports",
        lambda it: f"{it.report_bits / 1e9:,.2f} Gbit/s",
        "reports a second * (bytes + 28 * datagrams)",
    ),
    (
        "network, scrapes",
        lambda it: f"{it.scrape_bits / 1e9:,.2f} Gbit/s",
        "samples a second * bytes of a sample",
    ),
    (
        "disk of the store, a month",
        lambda it: f"{it.disk / _TB:,.0f} TB",
        "samples a second / replicas * a month * bytes stored * copies",
    ),
    (
        "cores of the store",
        lambda it: f"{it.store_cores:,.0f}",
        "samples a second / samples that a core takes",
    ),
    (
        "exporters, a month",
        lambda it: f"${it.exporter_price:,.0f}",
        "2 cores * exporters * price + memory * price",
    ),
    ("store, a month", lambda it: f"${it.store_price:,.0f}", "cores * price + disk * price"),
)


def tables(of: Slopes, given: Assumptions) -> Iterator[str]:
    """Yield the lines of the document."""
    yield "Measured, of a host of full size:"
    yield ""
    yield "| what | figure |"
    yield "|---|--:|"
    yield f"| datagrams of a report | {of.datagrams:.1f} |"
    yield f"| bytes of a report | {of.bytes:,.0f} |"
    yield f"| samples | {of.samples:,.0f}, of which {of.without_node:.0%} are not `node_*` |"
    yield f"| CPU of a datagram | {of.datagram_cpu * 1e6:,.0f} µs |"
    yield f"| CPU of a sample | {of.sample_cpu * 1e9:,.0f} ns |"
    yield f"| memory of a host | {of.memory / 1024:,.0f} KiB |"
    yield ""
    yield "Assumed; put in your own:"
    yield ""
    yield "| what | figure |"
    yield "|---|--:|"
    for name, figure in _assumed(given):
        yield f"| {name} | {figure} |"
    yield ""
    fleets = [Fleet(of, given, case) for case in CASES]
    intervals = " | ".join(case.title for case in CASES)
    yield f"| {given.hosts:,.0f} hosts, reports and scrapes every | {intervals} | formula |"
    yield f"|---|{'--:|' * len(CASES)}---|"
    for what, show, formula in _ROWS:
        yield f"| {what} | {' | '.join(map(show, fleets))} | {formula.replace('*', TIMES)} |"


def _assumed(given: Assumptions) -> Iterator[tuple[str, str]]:
    """Yield what is assumed: its name and its figure."""
    yield "exporters that each host reports to (replicas)", f"{given.replicas:g}"
    yield "share of a core that an exporter uses", f"{given.share:.0%}"
    yield "bytes of a sample in a scrape, with gzip", f"{given.sent:g}"
    yield "bytes of a sample in the store", f"{given.stored:g}"
    yield "months for which samples are kept", f"{given.months:g}"
    yield "copies in the store", f"{given.copies:g}"
    yield "samples a second that a core of the store takes", f"{given.store_rate:,.0f}"
    yield "cores of a machine that runs exporters, two for each", f"{given.machine:g}"
    yield "a core, a month", f"${given.core:g}"
    yield "a GiB of memory, a month", f"${given.gib:g}"
    yield "a TB of disk, a month", f"${given.tb:g}"


def document(text: str) -> str:
    """Return the document with the tables of the present results."""
    head, rest = text.split(f"{_BEGIN}\n")
    tail = rest.partition(_END)[2]
    lines = "\n".join(tables(slopes(), Assumptions()))
    return f"{head}{_BEGIN}\n\n{lines}\n\n{_END}{tail}"


def main() -> None:
    """Print or write what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/sizing.md")
    for each in fields(Assumptions):
        flag = f"--{each.name.replace('_', '-')}"
        parser.add_argument(flag, type=float, default=each.default)
    arguments = vars(parser.parse_args())
    if arguments.pop("write"):
        DOCUMENT.write_text(document(DOCUMENT.read_text("utf-8")), encoding="utf-8")
    else:
        sys.stdout.write("\n".join(tables(slopes(), Assumptions(**arguments))) + "\n")


if __name__ == "__main__":
    main()
