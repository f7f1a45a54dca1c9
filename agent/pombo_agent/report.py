"""Makes datagrams of what the collectors return."""

import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import get_type_hints

import msgspec
from msgspec.structs import asdict, replace
from pombo_cli.logs import LimitedLogger
from pombo_wire import MAPS, SECTIONS, Collectors, Info, Part, Record, Report, encode, split

from pombo_agent import __version__
from pombo_agent.collectors import Collector, NoDataError, Sources
from pombo_agent.collectors.tables import Row, tables

_BYES = 3  # datagrams, since some may be lost

_HINTS = get_type_hints(Report, include_extras=True)
_CHECKS = {name: msgspec.json.Decoder(_HINTS[name]).decode for name in (*SECTIONS, *MAPS)}


def with_time(header: Report) -> Report:
    """Return ``header`` with the wall clock to 1 ms and the monotonic clock to 1 µs."""
    return replace(header, time=round(time.time(), 3), monotonic=round(time.monotonic(), 6))


def info() -> Info:
    """Return the versions of the agent and of the operating system, and the machine type."""
    here = platform.uname()
    system, release, machine = (text[:255] for text in (here.system, here.release, here.machine))
    return Info(f"pombo-agent {__version__}", system, release, machine)


def constant_parts(labels: Mapping[str, str]) -> list[Part]:
    """Return the parts that never change.

    Every report repeats them, since the exporter may have started after the agent.
    """
    parts: list[Part] = [("info", info())]
    if labels:
        parts.append(("labels", dict(labels)))
    return parts


class Reporter:
    """Runs the collectors and numbers the datagrams of one session."""

    def __init__(
        self,
        header: Report,
        constant: list[Part],
        collectors: Mapping[str, Collector],
        sources: Sources,
        log: LimitedLogger,
    ) -> None:
        self._header, self._constant = header, constant
        self._collectors, self._sources, self._log = collectors, sources, log

    def next_report(self) -> list[bytes]:
        """Collect a report of this moment and return its datagrams."""
        header = with_time(self._header)
        parts = merge_records([*self._constant, *self._collect()])
        reports, omitted = split(header, parts)
        for line in omitted:
            key = f"omitted {line.partition(':')[0]}"
            self._log.warning("omitted from report: too large", key=key, detail=line)
        return self._encode(reports)

    def byes(self) -> list[bytes]:
        """Return the datagrams that end the session, each of which is enough."""
        seq = self._next_seq()
        return self._encode(
            [replace(self._header, seq=seq + number, bye=True) for number in range(_BYES)]
        )

    def _encode(self, reports: list[Report]) -> list[bytes]:
        """Encode ``reports`` and advance the sequence number past them."""
        self._header = replace(self._header, seq=self._next_seq() + len(reports))
        return [encode(report) for report in reports]

    def _next_seq(self) -> int:
        assert self._header.seq is not None
        return self._header.seq

    def _collect(self) -> Iterator[Part]:
        """Yield the parts of each collector, then the ``collectors`` section about them."""
        outcomes: list[Row] = []
        for name, collect in self._collectors.items():
            start = time.perf_counter()
            parts: list[Part] = []
            success = False
            try:
                parts = collect(self._sources)
                for field, value in parts:
                    # The exporter would refuse a whole datagram for one invalid section.
                    _CHECKS[field](msgspec.json.encode(value))
                success = True
            except NoDataError:
                parts = []
            except Exception as error:  # noqa: BLE001  # the other collectors still report
                parts = []
                text = f"{type(error).__name__}: {error}"
                self._log.warning(
                    "collector failed", key=f"collector {name}", collector=name, error=text
                )
            seconds = round(time.perf_counter() - start, 6)
            outcomes.append({"collector": name, "seconds": seconds, "success": int(success)})
            yield from parts
        yield from tables(Collectors, outcomes)


def merge_records(parts: Iterable[Part]) -> list[Part]:
    """Return ``parts`` with the records of one section merged.

    A later value replaces an earlier one.
    """
    merged: list[Part] = []
    positions: dict[str, int] = {}
    for name, value in parts:
        if not isinstance(value, Record):
            merged.append((name, value))
        elif name not in positions:
            positions[name] = len(merged)
            merged.append((name, value))
        else:
            known = {field: item for field, item in asdict(value).items() if item is not None}
            merged[positions[name]] = name, replace(merged[positions[name]][1], **known)
    return merged
