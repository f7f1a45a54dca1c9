"""What an agent that seals and one server know of each other. Source: docs/wire.md."""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from pombo_wire.keys import HostKey
from pombo_wire.sealing import (
    CONFLICT,
    MAX_SEALED_SEQ,
    NO_CHALLENGE,
    PROBE,
    WANTS_ANSWER,
    Acknowledgement,
    Crypto,
    Sealer,
)

#: The least seconds without an answer to what asked, after which the server does not hear.
LEAST_TIMEOUT_SECONDS = 10.0

#: Seconds within which an acknowledgement of a datagram is accepted, or two intervals if these are
#: longer, since answers are read before the next report.
_ANSWER_SECONDS = 60.0

#: The least seconds between two salts that are drawn because of conflicts.
CONFLICT_SECONDS = 600.0

#: By how much of an interval a report may be sent too early, since collecting takes its time.
_EARLY = 0.1

_MOST_SENT = 1024  # numbers that still may be acknowledged


class Dialogue:
    """Seals datagrams for one server, and reads its acknowledgements.

    ``interval`` is in seconds, as is the clock, which is monotonic. Without ``asks`` no datagram
    asks for an answer. With ``probes`` each is a probe, which changes nothing at the server.
    ``last_seq`` is the largest number under one salt. ``wall`` is the clock of this host in Unix
    seconds, which is compared with the exporter's if it is given. Nothing depends on that.

    An acknowledgement instructs nothing. It proves that the server hears, and has the challenge
    with which this agent proves that it is there now.
    """

    def __init__(  # noqa: PLR0913 - what it is about, and what differs between its uses
        self,
        crypto: Crypto,
        key: HostKey,
        interval: float,
        clock: Callable[[], float] = monotonic,
        *,
        asks: bool = True,
        probes: bool = False,
        last_seq: int = MAX_SEALED_SEQ,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._crypto, self._key, self._clock, self._asks = crypto, key, clock, asks
        self._interval, self._last_seq = interval, last_seq
        self._flags, self._wall = PROBE if probes else 0, wall
        #: By how many seconds the exporter's clock was ahead at the last answer, if that is known.
        self.clock_ahead: float | None = None
        self._timeout = max(2 * interval, LEAST_TIMEOUT_SECONDS) - _EARLY * interval
        self._challenge = NO_CHALLENGE
        self._asked_since: float | None = None  # None where no answer is awaited
        self._sent: dict[int, float] = {}
        self.new_salt()

    def seal(self, datagrams: Iterable[bytes], *, asks: bool = True) -> Iterator[bytes]:
        """Yield the datagrams of a report, sealed; each asks for an answer, unless none is to.

        The server answers one of them, so that not each loss looks like its silence.
        """
        now = self._clock()
        if self._sealer.seq > self._last_seq - _MOST_SENT:
            self.new_salt()
        flags = self._flags
        if asks and self._asks:
            flags |= WANTS_ANSWER
            self._asked_since = now if self._asked_since is None else self._asked_since
        for datagram in datagrams:
            self._sent[self._sealer.seq] = now
            if len(self._sent) > _MOST_SENT:
                del self._sent[next(iter(self._sent))]
            yield self._sealer.seal(datagram, self._challenge, flags)

    def read(self, datagram: bytes) -> Acknowledgement | None:
        """Return the acknowledgement in a datagram; None where it is none that counts."""
        answer = self._sealer.acknowledgement(datagram)
        if answer is None or not self._is_due(answer):
            return None
        if self._wall is not None:  # an answer is read only before the next report
            sent_at = self._wall() - (self._clock() - self._sent[answer.seq])
            self.clock_ahead = answer.time_ms / 1000 - sent_at
        # Those before it are never acknowledged any more.
        self._sent = {seq: at for seq, at in self._sent.items() if seq > answer.seq}
        self._challenge = answer.challenge
        self._asked_since = None
        if answer.flags & CONFLICT and self._clock() - self._salted_at >= CONFLICT_SECONDS:
            self.new_salt()
        return answer

    def has_rival(self, answer: Acknowledgement) -> bool:
        """Return whether an acknowledgement says that another agent holds the name.

        For two intervals after a new salt, that is this agent itself, under the salt before.
        """
        is_settled = self._clock() - self._salted_at >= max(2 * self._interval, self._timeout)
        return bool(answer.flags & CONFLICT) and is_settled

    @property
    def is_unheard(self) -> bool:
        """Whether the server has not answered what asked, for too long."""
        since = self._asked_since
        return since is not None and self._clock() - since >= self._timeout

    def ask_anew(self) -> None:
        """Start to wait for an answer anew, since another way to the server is tried."""
        self._asked_since = None

    def new_salt(self) -> None:
        """Draw another salt, under which numbers start from 0.

        The challenge stays: the server may know this agent by it.
        """
        key = self._key
        self._salted_at = self._clock()
        name = key.name.encode()
        self._sealer = Sealer(self._crypto, key.kid, key.generation, key.key, name)
        self._sent.clear()

    def _is_due(self, answer: Acknowledgement) -> bool:
        sent = self._sent.get(answer.seq)
        longest = max(_ANSWER_SECONDS, 2 * self._interval)
        return sent is not None and self._clock() - sent <= longest
