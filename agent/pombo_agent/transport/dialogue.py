"""What an agent that seals and one server know of each other. Source: docs/wire.md."""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from pombo_wire.keys import HostKey
from pombo_wire.sealing import (
    CONFLICT,
    MAX_SEALED_SEQ,
    NO_CHALLENGE,
    WANTS_ANSWER,
    Acknowledgement,
    Crypto,
    Sealer,
)

#: Seconds after which an agent that is proven asks again.
ASK_SECONDS = 60.0

#: The least seconds without an answer to what asked, after which the server does not hear.
LEAST_TIMEOUT_SECONDS = 10.0

#: Seconds within which an acknowledgement of a datagram is accepted.
_ANSWER_SECONDS = 60.0

#: The least seconds between two salts that are drawn because of conflicts.
_CONFLICT_SECONDS = 600.0

_MOST_SENT = 1024  # numbers that still may be acknowledged


class Dialogue:
    """Seals datagrams for one server, and reads its acknowledgements.

    ``interval`` is in seconds, as is the clock, which is monotonic. Without ``asks`` no report asks
    for an answer. An acknowledgement instructs nothing. It proves that the server hears, and has
    the challenge with which this agent proves that it is there now.
    """

    def __init__(
        self,
        crypto: Crypto,
        key: HostKey,
        interval: float,
        clock: Callable[[], float] = monotonic,
        *,
        asks: bool = True,
    ) -> None:
        self._crypto, self._key, self._clock, self._asks = crypto, key, clock, asks
        self._timeout = max(2 * interval, LEAST_TIMEOUT_SECONDS)
        self._asked_since = 0.0  # 0 where no answer is awaited
        self._challenge = NO_CHALLENGE
        self._sent: dict[int, float] = {}
        self._new_salt()

    def seal(self, datagrams: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the datagrams of a report, sealed; the first asks for an answer if that is due."""
        now = self._clock()
        if self._sealer.seq > MAX_SEALED_SEQ - _MOST_SENT:
            self._new_salt()
        due = self._asks and self._is_ask_due(now)
        for datagram in datagrams:
            flags = 0
            if due:
                due, flags, self._asked_at = False, WANTS_ANSWER, now
                self._asked_since = self._asked_since or now
            self._sent[self._sealer.seq] = now
            if len(self._sent) > _MOST_SENT:
                del self._sent[next(iter(self._sent))]
            yield self._sealer.seal(datagram, self._challenge, flags)

    def read(self, datagram: bytes) -> Acknowledgement | None:
        """Return the acknowledgement in a datagram; None where it is none that counts."""
        answer = self._sealer.acknowledgement(datagram)
        if answer is None or not self._is_due(answer):
            return None
        self._acknowledged = answer.seq
        self._proven = answer.challenge == self._challenge
        self._challenge = answer.challenge
        self._asked_since = 0.0
        if answer.flags & CONFLICT and self._clock() - self._salted_at >= _CONFLICT_SECONDS:
            self._new_salt()
            self._challenge = answer.challenge
        return answer

    def _is_ask_due(self, now: float) -> bool:
        return not self._proven or now - self._asked_at >= ASK_SECONDS

    @property
    def is_unheard(self) -> bool:
        """Whether the server has not answered what asked, for too long."""
        since = self._asked_since
        return since > 0 and self._clock() - since >= self._timeout

    def ask_anew(self) -> None:
        """Start to wait for an answer anew, since another way to the server is tried."""
        self._asked_since = 0.0
        self._proven = False

    def _is_due(self, answer: Acknowledgement) -> bool:
        sent = self._sent.get(answer.seq)
        recent = sent is not None and self._clock() - sent <= _ANSWER_SECONDS
        return recent and answer.seq > self._acknowledged

    def _new_salt(self) -> None:
        key = self._key
        self._salted_at = self._clock()
        name = key.name.encode()
        self._sealer = Sealer(self._crypto, key.kid, key.generation, key.key, name)
        self._challenge, self._proven = NO_CHALLENGE, False
        self._asked_at, self._asked_since = float("-inf"), 0.0
        self._acknowledged = -1
        self._sent.clear()
