"""Makes datagrams of what the collectors return."""

import os
import time
from collections.abc import Mapping
from typing import Any

from pombo_cli.logs import LimitedLogger
from pombo_wire.section import Section
from pombo_wire.splitting import Splitter

from pombo_agent import __version__
from pombo_agent.collecting.collection import Collection
from pombo_agent.collecting.tables import record
from pombo_agent.own_process import OwnProcess, build

_BYES = 3  # datagrams, since some may be lost


def with_time(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``header`` with the wall clock to 1 ms and the monotonic clock to 1 µs."""
    return {**header, "time": round(time.time(), 3), "monotonic": round(time.monotonic(), 6)}


def constant_sections(labels: Mapping[str, str]) -> list[Section]:
    """Return what never changes: versions of the agent and of the system, and ``labels``.

    Every report repeats it, since the exporter may have started after the agent.
    """
    found = record("info", {"agent": f"pombo-agent {__version__}", **_system()}) + build()
    if labels:
        found.append(Section("labels", {name: (text,) for name, text in labels.items()}, (), ()))
    return found


def _system() -> dict[str, str]:
    if hasattr(os, "uname"):
        here = os.uname()
        return {"system": here.sysname, "release": here.release, "machine": here.machine}
    import platform  # noqa: PLC0415 - takes memory, and only Windows needs it

    windows = platform.uname()
    return {"system": windows.system, "release": windows.release, "machine": windows.machine}


class Reporter:
    """Numbers the datagrams of one session.

    ``header`` is that of the first datagram, without the time. ``constant`` are sections that
    every report has.
    """

    def __init__(
        self,
        header: Mapping[str, Any],
        constant: list[Section],
        collection: Collection,
        splitter: Splitter,
        log: LimitedLogger,
    ) -> None:
        self._header, self._constant, self._collection = dict(header), constant, collection
        self._splitter, self._log = splitter, log
        self._process = OwnProcess()

    def start_session(self, header: Mapping[str, Any]) -> None:
        """Start another session; ``header`` is that of its first datagram, without the time."""
        self._header = dict(header)

    def next_report(self) -> list[bytes]:
        """Collect a report of this moment and return its datagrams."""
        return self.datagrams(*self.collect())

    def collect(self) -> tuple[dict[str, Any], list[Section]]:
        """Collect a report of this moment; return the header and the sections."""
        header = with_time(self._header)
        sections = self._collection.sections()
        return header, [*self._constant, *sections, *self._process.section()]

    def datagrams(self, header: Mapping[str, Any], sections: list[Section]) -> list[bytes]:
        """Return a report as the next datagrams of the session."""
        made, omitted = self._splitter.datagrams({**header, **self._number()}, sections)
        for line in omitted:
            key = f"omitted {line.partition(':')[0]}"
            self._log.warning("omitted from report: too large", key=key, detail=line)
        self._count(len(made))
        return made

    def byes(self) -> list[bytes]:
        """Return the datagrams that end the session, each of which is enough."""
        byes = []
        for _ in range(_BYES):
            byes.append(self._splitter.bye(self._header))
            self._count(1)
        return byes

    def byes_to_one(self) -> list[bytes]:
        """Return the same for one of several servers; the session goes on at the others.

        The next report has the numbers that would follow without these, so that none is missing.
        """
        before = self._header
        self._header = {**before}
        try:
            return self.byes()
        finally:
            self._header = before

    def _number(self) -> dict[str, int]:
        """Return the number of the next datagram, unless what seals it numbers it."""
        return {"seq": self._header["seq"]} if "seq" in self._header else {}

    def _count(self, datagrams: int) -> None:
        if "seq" in self._header:
            self._header["seq"] += datagrams
