"""The servers of now, where some are listed in DNS and may change at any time."""

from collections.abc import Callable, Mapping, Sequence

from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger

from pombo_agent.servers import Endpoint, Listed
from pombo_agent.transport.background import Background
from pombo_agent.transport.udp import Lookup
from pombo_agent.wakeup import Waiter

#: Seconds between two lookups of a name, and while its lookup fails.
LOOKUP_SECONDS = 30.0
RETRY_SECONDS = 5.0

#: The most servers of one name.
MOST_SERVERS = 100


def find(listed: Listed, lookup: Lookup = Lookup()) -> list[Address]:  # noqa: B008
    """Return the servers that a name stands for, always in the same order.

    The targets of an SRV name are in the order of their priorities, and then of their weights. May
    block.

    Raises:
        OSError, UnicodeError: when the name is unknown or no resolver answers.
    """
    if listed.scheme == "dnssrv":
        from pombo_agent.transport.srv import targets  # noqa: PLC0415 - takes memory

        return targets(listed.name)
    found = lookup.resolver(listed.name, listed.port)
    addresses = {Address(host, port) for _, (host, port, *_) in found}
    if not addresses:
        raise OSError("the name has no address")
    return sorted(addresses, key=str)


class Listing:
    """Looks up the names that stand for servers, and keeps the last answer of each.

    A thread does each lookup. Only for the first answer of a name does a report wait, for
    ``lookup.timeout`` seconds at most. The clock is monotonic, in seconds.
    """

    def __init__(
        self,
        given: Sequence[Endpoint | Listed],
        log: LimitedLogger,
        waiter: Waiter,
        clock: Callable[[], float],
        lookup: Lookup = Lookup(),  # noqa: B008  # it never changes
    ) -> None:
        self._given = given
        self._names: Mapping[Listed, _Name] = {
            each: _Name(each, log, waiter, clock, lookup)
            for each in given
            if isinstance(each, Listed)
        }
        self._servers: tuple[Endpoint, ...] = ()
        if not self._names:
            self._servers = self._all()

    def __call__(self) -> Sequence[Endpoint]:
        """Return the servers of now: the same object until they change."""
        changed = [each.refresh() for each in self._names.values()]
        if any(changed):
            self._servers = self._all()
        return self._servers

    def _all(self) -> tuple[Endpoint, ...]:
        found: dict[Endpoint, None] = {}
        for each in self._given:
            servers = self._names[each].servers if isinstance(each, Listed) else [each]
            found |= dict.fromkeys(servers)
        return tuple(found)


class _Name:
    """A name, and the servers that its last good answer has."""

    def __init__(
        self,
        listed: Listed,
        log: LimitedLogger,
        waiter: Waiter,
        clock: Callable[[], float],
        lookup: Lookup,
    ) -> None:
        self._listed, self._log, self._clock = listed, log, clock
        self._timeout = lookup.timeout
        self._lookups = Background(lambda: find(listed, lookup), waiter, lookup.start)
        self._started_at, self._failed = float("-inf"), False
        self.servers: list[Address] = []

    def refresh(self) -> bool:
        """Look the name up if that is due; return whether its servers have changed."""
        retry = self._failed or not self.servers
        if self._clock() - self._started_at >= (RETRY_SECONDS if retry else LOOKUP_SECONDS):
            self._look_up()
        answer = self._lookups.take()
        if isinstance(answer, Exception):
            self._failed = True
            self._warn("lookup failed", answer)
        elif answer:
            return self._use(answer)
        return False

    def _look_up(self) -> None:
        self._started_at = self._clock()
        if self._lookups.is_running:
            self._warn("lookup timed out", TimeoutError("the resolver does not answer"))
            return
        self._failed = False
        error = self._lookups.begin(0.0 if self.servers else self._timeout)
        if isinstance(error, RuntimeError):
            self._failed = True
            self._warn("lookup failed", error)

    def _use(self, found: list[Address]) -> bool:
        if len(found) > MOST_SERVERS:
            key = f"{self._listed} has too many"
            fields = {"server": self._listed, "servers": len(found), "used": MOST_SERVERS}
            self._log.warning("a name has too many servers", key=key, **fields)
        is_changed = found[:MOST_SERVERS] != self.servers
        self.servers = found[:MOST_SERVERS]
        return is_changed

    def _warn(self, message: str, error: Exception) -> None:
        from pombo_agent.transport.remedies import remedy_of  # noqa: PLC0415 - only then

        fields: dict[str, object] = {"server": self._listed, "error": error}
        if remedy := remedy_of(error):
            fields["remedy"] = remedy
        self._log.warning(message, key=f"{self._listed} {message}", **fields)
