"""What the collectors say to the datagrams that say it."""

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

_FAREWELLS = 3  # one may be lost

_HINTS = get_type_hints(Report, include_extras=True)
_CHECKS = {name: msgspec.json.Decoder(_HINTS[name]).decode for name in (*SECTIONS, *MAPS)}


def stamped(header: Report) -> Report:
    """Return ``header`` with both clocks' times, in as many digits as are of use."""
    return replace(header, time=round(time.time(), 3), monotonic=round(time.monotonic(), 6))


def information() -> Info:
    """Return what this host runs."""
    here = platform.uname()
    system, release, machine = (text[:255] for text in (here.system, here.release, here.machine))
    return Info(f"pombo-agent {__version__}", system, release, machine)


def standing_parts(labels: Mapping[str, str]) -> list[Part]:
    """Return what every report says again, since the exporter may have begun after the agent."""
    parts: list[Part] = [("info", information())]
    if labels:
        parts.append(("labels", dict(labels)))
    return parts


class Reporter:
    """Collects, and numbers the datagrams of this session."""

    def __init__(
        self,
        header: Report,
        standing: list[Part],
        collectors: Mapping[str, Collector],
        sources: Sources,
        log: LimitedLogger,
    ) -> None:
        self._header, self._standing = header, standing
        self._collectors, self._sources, self._log = collectors, sources, log

    def datagrams(self) -> list[bytes]:
        """Return a report of this moment, in as many datagrams as it takes."""
        header = stamped(self._header)
        parts = merged([*self._standing, *self._collected()])
        reports, left_out = split(header, parts)
        for line in left_out:
            key = f"left out {line.partition(':')[0]}"
            self._log.warning("too large to report", key=key, detail=line)
        return self._numbered(reports)

    def farewell(self) -> list[bytes]:
        """Return datagrams that each say that the agent stops on purpose."""
        seq = self._next()
        return self._numbered(
            [replace(self._header, seq=seq + number, bye=True) for number in range(_FAREWELLS)]
        )

    def _numbered(self, reports: list[Report]) -> list[bytes]:
        self._header = replace(self._header, seq=self._next() + len(reports))
        return [encode(report) for report in reports]

    def _next(self) -> int:
        assert self._header.seq is not None
        return self._header.seq

    def _collected(self) -> Iterator[Part]:
        fared: list[Row] = []
        for name, collect in self._collectors.items():
            start = time.perf_counter()
            parts: list[Part] = []
            success = False
            try:
                parts = collect(self._sources)
                for field, value in parts:
                    # One section that the wire forbids would cost the whole datagram.
                    _CHECKS[field](msgspec.json.encode(value))
                success = True
            except NoDataError:
                parts = []
            except Exception as error:  # noqa: BLE001  # whatever breaks, the rest is reported
                parts = []
                text = f"{type(error).__name__}: {error}"
                self._log.warning(
                    "collector failed", key=f"collector {name}", collector=name, error=text
                )
            seconds = round(time.perf_counter() - start, 6)
            fared.append({"collector": name, "seconds": seconds, "success": int(success)})
            yield from parts
        yield from tables(Collectors, fared)


def merged(parts: Iterable[Part]) -> list[Part]:
    """Return ``parts`` with one record a field: what any of them says, the last of them first."""
    found: list[Part] = []
    places: dict[str, int] = {}
    for name, value in parts:
        if not isinstance(value, Record):
            found.append((name, value))
        elif name not in places:
            places[name] = len(found)
            found.append((name, value))
        else:
            said = {field: known for field, known in asdict(value).items() if known is not None}
            found[places[name]] = name, replace(found[places[name]][1], **said)
    return found
