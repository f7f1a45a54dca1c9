"""Sends reports to the first of several servers that answers, in the order given."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from pombo_cli.logs import LimitedLogger

#: Seconds between two probes of the servers before the one in use. They double, up to the most,
#: each time that a server answers probes and then no report, as one whose limits are reached.
PROBE_SECONDS = 30.0
MOST_PROBE_SECONDS = 960.0

#: The bytes of a probe before it is sealed. As many as a long report has, so that a way on which
#: only short datagrams arrive is not used again; room is left for the longest name.
_PROBE_BYTES = 880

_MOST_CHANGES = 10  # that are logged while the log repeats no line


class Transport(Protocol):
    """What sends reports: to one server, by whichever protocol, or to several."""

    def where(self) -> dict[str, object]:
        """Return, for the log, where reports go; nothing where that is not known yet."""

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Send the datagrams of a report, which ask for an answer."""

    def send_known(self, datagrams: Iterable[bytes]) -> None:
        """Send without a lookup, and without asking for an answer."""

    def renew(self) -> None:
        """Start anew, with another salt and another connection."""

    def close(self) -> None:
        """Close what is open, at the end."""


class Server(Transport, Protocol):
    """What sends to one server, and reads its answers."""

    @property
    def is_heard(self) -> bool | None:
        """Whether the server has answered in time; None where that is not known yet."""

    def poll(self) -> None:
        """Read the answers so far."""

    def leave(self) -> None:
        """Send nothing for a while. Whether it hears is not known until it answers again."""


class Candidate(NamedTuple):
    """A server by its name for the log, what sends reports to it, and what sends probes."""

    name: str
    reports: Server
    probes: Server


class Failover:
    """Sends each report to one server.

    When that does not answer in time, the next one is used, and after the last one the first. Those
    before it are probed, which changes nothing there, and the first that answers is used again. The
    one that is left then gets ``byes``: it hears, so it would take the host for down.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        byes: Callable[[], Iterable[bytes]],
        log: LimitedLogger,
        clock: Callable[[], float],
    ) -> None:
        self._candidates, self._byes = candidates, byes
        self._log, self._clock = log, clock
        self._place = 0  # of the one in use
        self._probed_at, self._probe_seconds = 0.0, PROBE_SECONDS
        self._has_returned = False  # to the one in use, which has not answered a report since
        self._changes = 0

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Send to the server in use, and probe those before it if that is due."""
        self._choose()
        self._used.send(datagrams)
        if self._place and self._clock() - self._probed_at >= self._probe_seconds:
            self._probed_at = self._clock()
            for candidate in self._candidates[: self._place]:
                candidate.probes.send([b"{}".ljust(_PROBE_BYTES)])

    def send_known(self, datagrams: Iterable[bytes]) -> None:
        """Send to the server in use, without a lookup and without asking for an answer."""
        self._used.send_known(datagrams)

    def renew(self) -> None:
        """Start anew with each server."""
        for candidate in self._candidates:
            candidate.reports.renew()
            candidate.probes.renew()

    def close(self) -> None:
        """Close what is open."""
        for candidate in self._candidates:
            candidate.reports.close()
            candidate.probes.close()

    def where(self) -> dict[str, object]:
        """Return, for the log, where reports go now; nothing where that is not known yet."""
        return self._used.where()

    @property
    def _used(self) -> Server:
        return self._candidates[self._place].reports

    def _choose(self) -> None:
        """Read the answers so far, and use another server if they say so."""
        for place, candidate in enumerate(self._candidates[: self._place]):
            candidate.probes.poll()
            if candidate.probes.is_heard:
                self._return_to(place)
                return
        self._used.poll()
        if self._used.is_heard and self._has_returned:
            self._has_returned, self._probe_seconds = False, PROBE_SECONDS
        elif self._used.is_heard is False:
            if self._has_returned:
                self._probe_seconds = min(2 * self._probe_seconds, MOST_PROBE_SECONDS)
            self._has_returned = False
            self._used.leave()
            self._use((self._place + 1) % len(self._candidates), "no answer")

    def _return_to(self, place: int) -> None:
        if self._used.is_heard:
            self._used.send_known(self._byes())
            self._used.renew()  # what said bye never comes back under the same salt
        else:
            self._used.leave()
        self._use(place, "it answers again")
        self._has_returned = True

    def _use(self, place: int, reason: str) -> None:
        if place == self._place:
            return
        before, after = self._candidates[self._place].name, self._candidates[place].name
        self._changes += 1
        self._log.log(
            logging.INFO,
            "reports go to another exporter",
            key=f"{after} instead {self._changes % _MOST_CHANGES}",
            server=after,
            instead_of=before,
            reason=reason,
        )
        self._place = place
        self._probed_at = self._clock()
        for candidate in self._candidates:
            candidate.probes.leave()  # what they answered before says nothing of now
