"""Sends each report to some of several servers: to those that a host prefers, of those that answer.

All modes of the agent are this: *all* sends to every server, *failover* to one in the order given,
*shard* to a number of them in an order of the host's own.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from pombo_cli.logs import LimitedLogger

#: Seconds between two probes of a server that is preferred to one in use. They double, up to the
#: most, each time that it answers probes and then no report, as one whose limits are reached.
PROBE_SECONDS = 30.0
MOST_PROBE_SECONDS = 960.0

#: The bytes of a probe before it is sealed. As many as a long report has, so that a way on which
#: only short datagrams arrive is not used again; room is left for the longest name.
_PROBE_BYTES = 880

_MOST_CHANGES = 10  # that are logged while the log repeats no line

#: What says how a server is reached. Its text is its name.
Where = TypeVar("Where")
_Where_contra = TypeVar("_Where_contra", contravariant=True)


class Server(Protocol):
    """What sends to one server by whichever protocol, and reads its answers."""

    @property
    def is_heard(self) -> bool | None:
        """Whether the server has answered in time; None where that is not known yet."""

    @property
    def is_accepted(self) -> bool:
        """Whether its last answer says that it has accepted a report."""

    def where(self) -> dict[str, object]:
        """Return, for the log, where reports go; nothing where that is not known yet."""

    def poll(self) -> None:
        """Read the answers so far."""

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Send the datagrams of a report, which ask for an answer."""

    def send_known(self, datagrams: Iterable[bytes]) -> None:
        """Send without a lookup, and without asking for an answer."""

    def renew(self) -> None:
        """Start anew, with another salt and another connection."""

    def leave(self) -> None:
        """Send nothing for a while. Whether it hears is not known until it answers again."""

    def close(self) -> None:
        """Close what is open, at the end."""


class NewServer(Protocol[_Where_contra]):
    """Makes what sends reports to a server, or with ``probes`` what sends probes."""

    def __call__(self, server: _Where_contra, /, *, probes: bool) -> Server:
        """Return it; nothing is opened before something is sent."""


class Choice(NamedTuple):
    """How servers are chosen: how many get each report, and whether their answers matter.

    ``replicas`` is None for all of them. ``order`` puts the names of servers into the order in
    which they are preferred. Where no server answers, ``has_answers`` is False, and those that are
    preferred are used whether they hear or not.
    """

    replicas: int | None
    order: Callable[[Sequence[str]], Sequence[str]] = list
    has_answers: bool = True


class _Candidate(Generic[Where]):
    """A server that may get reports: what sends these to it, and what sends probes, once needed."""

    def __init__(self, name: str, where: Where, new: NewServer[Where]) -> None:
        self.name, self._where, self._new = name, where, new
        self._reports: Server | None = None
        self._probes: Server | None = None
        self.is_silent = False  # it was left because it did not answer
        self.is_joining = False  # it gets reports beside those in use, until it accepts one
        self.reason = ""  # why it is to be used, for the log
        self.probed_at, self.probe_seconds = float("-inf"), PROBE_SECONDS

    @property
    def reports(self) -> Server:
        if self._reports is None:
            self._reports = self._new(self._where, probes=False)
        return self._reports

    @property
    def probes(self) -> Server:
        if self._probes is None:
            self._probes = self._new(self._where, probes=True)
        return self._probes

    @property
    def was_used(self) -> bool:
        return self._reports is not None

    def opened(self) -> list[Server]:
        return [each for each in (self._reports, self._probes) if each is not None]

    def forget_probes(self) -> None:
        """Forget what probes have shown: it says nothing of later."""
        self.is_silent = False
        if self._probes is not None:
            self._probes.leave()


class Replicas(Generic[Where]):
    """Sends each report to the servers in use: as many as are to get it.

    When one of them does not answer in time, the next in the order is used instead, and after the
    last one the first. Those that are preferred to one in use are probed, which changes nothing
    there. One that answers gets reports, too, and once it has accepted one it is used instead: so
    no report is missing where it does not. The one that is left then gets ``byes``: it hears, so it
    would take the host for down.

    ``servers`` returns how each server is reached now: the same object until that changes. One that
    is added is probed first, and one that is removed is left at once; no other is left for that.
    Without answers, those are used at once that are preferred. The clock is monotonic, in seconds.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of which it consists
        self,
        servers: Callable[[], Sequence[Where]],
        choice: Choice,
        new: NewServer[Where],
        byes: Callable[[], Sequence[bytes]],
        log: LimitedLogger,
        clock: Callable[[], float],
    ) -> None:
        self._servers, self._choice, self._new, self._byes = servers, choice, new, byes
        self._log, self._clock = log, clock
        self._known: Sequence[Where] = ()
        #: All servers in the order in which they are preferred, and those that get reports.
        self._candidates: list[_Candidate[Where]] = []
        self._used: list[_Candidate[Where]] = []
        self._changes = 0

    @property
    def order(self) -> list[str]:
        """The names of all servers, in the order in which they are preferred."""
        return [each.name for each in self._candidates]

    @property
    def in_use(self) -> list[str]:
        """The names of the servers that get reports now, in the same order."""
        return [each.name for each in self._used]

    def where(self) -> list[dict[str, object]]:
        """Return, for the log, where reports go now, as far as that is known."""
        found = [each.reports.where() for each in self._used]
        return [where for where in found if where]

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Send a report to the servers in use, and probe those before them if that is due."""
        servers = self._servers()
        if servers is not self._known:
            self._follow(servers)
        has_spare = self._choice.has_answers and len(self._used) < len(self._candidates)
        if has_spare:
            self._choose()
        for candidate in self._receiving():
            candidate.reports.send(datagrams)
        if has_spare:
            self._probe()

    def send_known(self, datagrams: Sequence[bytes]) -> None:
        """Send to the same servers, without a lookup and without asking for an answer."""
        for candidate in self._receiving():
            candidate.reports.send_known(datagrams)

    def reorder(self, order: Callable[[Sequence[str]], Sequence[str]]) -> None:
        """Prefer servers in another order, from the next report on, as a host of another name."""
        self._choice = self._choice._replace(order=order)
        self._known = ()

    def renew(self) -> None:
        """Start anew with each server."""
        for candidate in self._candidates:
            for each in candidate.opened():
                each.renew()

    def close(self) -> None:
        """Close what is open."""
        for candidate in self._candidates:
            for each in candidate.opened():
                each.close()

    def _receiving(self) -> list[_Candidate[Where]]:
        """Return the servers that get reports: those in use, and those that join them."""
        return [*self._used, *(each for each in self._candidates if each.is_joining)]

    def _follow(self, servers: Sequence[Where]) -> None:
        """Use the servers of now: those in use stay in use, unless they are removed."""
        self._known = servers
        by_name = {str(server): server for server in servers}
        before = {each.name: each for each in self._candidates}
        self._candidates = [
            before.get(name) or _Candidate(name, by_name[name], self._new)
            for name in self._choice.order([*by_name])
        ]
        was_used, kept = self._used, [each for each in self._used if each.name in by_name]
        self._used = self._filled(kept if self._choice.has_answers else [])
        if before:
            self._log_servers(before, by_name)
        left = [each for each in was_used if each not in self._used]
        new = [each for each in self._used if each not in was_used]
        for place, candidate in enumerate(left):
            self._leave(candidate)
            reason = "it is preferred" if candidate.name in by_name else "the other was removed"
            if place < len(new):
                self._log_change(new[place], candidate, reason)
        for name in before.keys() - by_name.keys():
            if before[name].is_joining:
                self._leave(before[name])
            for each in before[name].opened():
                each.close()
        self._forget_later()

    def _filled(self, used: Iterable[_Candidate[Where]]) -> list[_Candidate[Where]]:
        """Return these servers and as many others as are missing, living ones first."""
        found = [*used]
        spare = [each for each in self._candidates if each not in found]
        spare.sort(key=lambda candidate: candidate.is_silent)
        most = len(self._candidates) if self._choice.replicas is None else self._choice.replicas
        found += spare[: max(0, most - len(found))]
        return sorted(found, key=self._candidates.index)

    def _choose(self) -> None:
        """Read the answers so far, and use other servers if they say so."""
        for candidate in self._preferred():
            if candidate.is_joining:
                self._admit(candidate)
                continue
            candidate.probes.poll()
            if candidate.probes.is_heard and candidate in self._preferred():
                candidate.reason = "it answers again" if candidate.was_used else "it was added"
                candidate.is_joining = True
                candidate.forget_probes()
        for candidate in [*self._used]:
            candidate.reports.poll()
            if candidate.reports.is_heard is False:
                candidate.is_silent = True
                self._replace(candidate, self._next(candidate), "no answer")

    def _admit(self, candidate: _Candidate[Where]) -> None:
        """Use a server that has accepted a report; send it no more if it has not answered any."""
        candidate.reports.poll()
        if candidate.reports.is_accepted and candidate in self._preferred():
            candidate.probe_seconds = PROBE_SECONDS
            self._replace(self._used[-1], candidate, candidate.reason)
        elif candidate.reports.is_heard is False:
            candidate.is_joining, candidate.is_silent = False, True
            candidate.probe_seconds = min(2 * candidate.probe_seconds, MOST_PROBE_SECONDS)
            self._leave(candidate)

    def _preferred(self) -> list[_Candidate[Where]]:
        """Return the servers not in use that are preferred to one in use."""
        last = self._candidates.index(self._used[-1]) if self._used else 0
        return [each for each in self._candidates[:last] if each not in self._used]

    def _next(self, left: _Candidate[Where]) -> _Candidate[Where]:
        """Return the server to use instead of one that does not answer.

        It is the first that was not found silent. Where all were, each is tried in turn.
        """
        place = self._candidates.index(left)
        in_turn = [*self._candidates[place + 1 :], *self._candidates[:place]]
        spare = [each for each in in_turn if each not in self._used]
        rest = [each for each in self._candidates if each in spare and not each.is_silent]
        return (rest or spare)[0]

    def _replace(self, left: _Candidate[Where], used: _Candidate[Where], reason: str) -> None:
        self._leave(left)
        in_use = [used if each is left else each for each in self._used]
        self._used = sorted(in_use, key=self._candidates.index)
        self._log_change(used, left, reason)
        self._forget_later()

    def _leave(self, candidate: _Candidate[Where]) -> None:
        """Send a server nothing more, and end the session there unless it does not hear."""
        candidate.probed_at = self._clock()
        server = candidate.reports
        if candidate.is_joining:
            server.poll()  # it may have answered meanwhile
        if server.is_heard or not self._choice.has_answers:
            server.send_known(self._byes())
            server.renew()  # what said bye never comes back under the same salt
        else:
            server.leave()

    def _forget_later(self) -> None:
        """Forget what was known of servers that are not probed now."""
        preferred = self._preferred()
        for candidate in self._candidates:
            if candidate not in preferred:
                candidate.forget_probes()
                if candidate.is_joining and candidate not in self._used:
                    self._leave(candidate)
                candidate.is_joining = False

    def _log_change(self, used: _Candidate[Where], left: _Candidate[Where], reason: str) -> None:
        self._changes += 1
        self._log.log(
            logging.INFO,
            "reports go to another exporter",
            key=f"{used.name} instead {self._changes % _MOST_CHANGES}",
            server=used.name,
            instead_of=left.name,
            reason=reason,
        )

    def _log_servers(self, before: Iterable[str], now: Iterable[str]) -> None:
        """Log which servers were added and removed."""
        added, removed = sorted({*now} - {*before}), sorted({*before} - {*now})
        if added or removed:
            self._changes += 1
            self._log.log(
                logging.INFO,
                "list of exporters has changed",
                key=f"list of exporters {self._changes % _MOST_CHANGES}",
                added=" ".join(added),
                removed=" ".join(removed),
            )

    def _probe(self) -> None:
        now = self._clock()
        for candidate in self._preferred():
            if now - candidate.probed_at >= candidate.probe_seconds:
                candidate.probed_at = now
                candidate.probes.send([b"{}".ljust(_PROBE_BYTES)])
