"""Takes sealed datagrams: opens them, admits what is inside, and answers those that ask."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from pombo_wire import DecodeError, Reason
from pombo_wire.reading import Datagram, Outer, read
from pombo_wire.sealing import (
    ACCEPTED,
    CONFLICT,
    IPV4_MAPPED,
    NO_CHALLENGE,
    Acknowledgement,
    Crypto,
    acknowledgement,
)

from pombo_exporter.hosts.holder import Claim
from pombo_exporter.hosts.host import Address
from pombo_exporter.hosts.limits import AdmissionError, RefusalReason
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.ingest.probe_rate import ProbeRate
from pombo_exporter.ingest.rivals import Rivals
from pombo_exporter.seal.opening import Opener, Seal

_ANSWER_SECONDS: Final = 1.0  # between two answers to one name
_DROPPED_AT_ONCE: Final = 2  # times of answers that no longer matter, for each answer

#: The flags of the answers to refusals. The agent learns the challenge, and of a conflict.
_ANSWERED: Final = {RefusalReason.CONFLICT: CONFLICT, RefusalReason.UNPROVEN: 0}

Answer = Callable[[bytes, Address], None]


class SealedIntake:
    """Takes sealed datagrams into a roster.

    ``answer`` sends a datagram to an address over UDP; it may fail silently, since nothing depends
    on it.
    """

    def __init__(self, roster: Roster, opener: Opener, crypto: Crypto, answer: Answer) -> None:
        self._roster, self._opener, self._crypto = roster, opener, crypto
        self._answer = answer
        #: When names were last answered, the oldest first. Only the last second matters.
        self._answered_at: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._probe_rate, self._rivals = ProbeRate(), Rivals()
        self.answers = 0

    def check_plain(self, name: str) -> None:
        """Check that a name, of a plain datagram, is not denied.

        Raises:
            DecodeError: with the reason ``revoked``.
        """
        if self._opener.is_revoked(name, None):
            raise DecodeError(Reason.REVOKED, f"{name!r} is denied in the key file")

    def take(
        self,
        datagram: bytes,
        address: Address,
        now: float,
        wall: float,
        answer: Answer | None = None,
    ) -> None:
        """Store what a sealed datagram reports, and answer it where it asks for that.

        ``answer`` takes the place of the one that sends over UDP.

        Raises:
            DecodeError: when it cannot be opened, or is not valid inside.
            AdmissionError: when it is set aside.
        """
        seal = self._opener.open(datagram)
        send = answer or self._answer
        if seal.is_probe:
            self._read(seal)
            if seal.wants_answer and self._probe_rate.allows(seal.name, now):
                has_rivals = self._rivals.report_under(seal.name, now)
                flags = ACCEPTED | CONFLICT if has_rivals else ACCEPTED
                send(self._acknowledgement(seal, address, wall, flags), address)
            return
        claim = Claim(0, seal.salt, seal.rnd, seal.challenge, seal.generation)
        answer_flags: int | None = None
        try:
            self._roster.refuse_unread(seal.name, claim, seal.seq, address, now)
            found = self._read(seal)
            claim = claim._replace(session=found.header.session or 0)
            self._roster.admit(found, address, now, wall, claim)
            answer_flags = ACCEPTED
            self._rivals.accepted(seal.name, seal.salt, now)
        except AdmissionError as error:
            answer_flags = _ANSWERED.get(error.reason)
            if answer_flags == CONFLICT:
                self._note_conflict(seal, now)
            raise
        finally:
            if (
                answer_flags is not None
                and seal.wants_answer
                and self._may_answer(seal, answer_flags, now)
            ):
                send(self._acknowledgement(seal, address, wall, answer_flags), address)

    def _note_conflict(self, seal: Seal, now: float) -> None:
        """Note that an agent was refused, for the answers to probes."""
        host = self._roster.hosts.get(seal.name)
        if host is not None and host.holder.salt == seal.salt:
            self._rivals.cloned(seal.name, now)
        else:
            self._rivals.refused(seal.name, seal.salt)

    @staticmethod
    def _read(seal: Seal) -> Datagram:
        """Return what is inside, with the name and the number that are sealed.

        Raises:
            DecodeError: when it is not valid, or of another name or number.
        """
        return read(seal.inside, Outer(seal.name, seal.seq))

    def _may_answer(self, seal: Seal, flags: int, now: float) -> bool:
        """Return whether to answer now: accepted agents and all others each once in a while.

        So who repeats what an earlier agent of the name has sent takes no answer from this one.
        """
        key = seal.name, flags & ACCEPTED
        if now - self._answered_at.get(key, float("-inf")) < _ANSWER_SECONDS:
            return False
        self._answered_at[key] = now
        self._answered_at.move_to_end(key)
        for _ in range(_DROPPED_AT_ONCE):
            oldest = next(iter(self._answered_at))
            if now - self._answered_at[oldest] < _ANSWER_SECONDS:
                break
            del self._answered_at[oldest]
        return True

    def _acknowledgement(self, seal: Seal, address: Address, wall: float, flags: int) -> bytes:
        answer = Acknowledgement(
            seq=seal.seq,
            challenge=self._roster.challenge_of(seal.name) or NO_CHALLENGE,
            time_ms=round(wall * 1000),
            address=_packed_address(str(address[0])),
            port=int(address[1]),
            flags=flags,
        )
        self.answers += 1
        return acknowledgement(self._crypto, seal.key, seal.salt, answer)


def _packed_address(text: str) -> bytes:
    """Return an address as 16 bytes, IPv4 mapped into IPv6."""
    found = ip_address(text.partition("%")[0])
    if found.version == 4:
        return IPV4_MAPPED + found.packed
    return found.packed
