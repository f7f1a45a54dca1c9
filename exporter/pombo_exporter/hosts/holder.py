"""Who holds the name of a host, and when another agent may take it. Source: docs/wire.md.

A name is held by an agent, not by whoever sends it last: by the salt of its sealed datagrams, or by
the session of its plain ones.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, NamedTuple

from msgspec import Struct
from pombo_wire import Header
from pombo_wire.sealing import CHALLENGE_BYTES

#: Own intervals of silence after which another agent may take the name of a host.
FREE_AFTER: Final = 1.5


class Claim(NamedTuple):
    """Who says to be a host: the session, and what a sealed datagram proves.

    A plain one has no salt. ``rnd`` differs between two agents that have the same numbers.
    """

    session: int
    salt: bytes = b""
    rnd: bytes = b""
    challenge: bytes = b""
    generation: int | None = None

    @property
    def is_sealed(self) -> bool:
        """Whether the datagram was sealed."""
        return bool(self.salt)

    @property
    def identity(self) -> bytes | int:
        """What tells an agent from others."""
        return self.salt or self.session


class Verdict(Enum):
    """What to do with a datagram, by who holds the name of its host."""

    ACCEPT = auto()
    TAKE = auto()  # accept it, as the first datagram of another holder
    IGNORE = auto()  # a plain datagram that was received before, or a bye after the first
    REPLAYED = auto()  # a sealed one that was, or of a session that has ended
    CONFLICT = auto()  # of another agent, while the holder reports
    UNPROVEN = auto()  # of another agent, which has not shown the challenge
    PLAIN_OF_SEALED = auto()


# On Python 3.11 a lookup of an enum's member by name costs ten times that of a global.
ACCEPT, TAKE, IGNORE, REPLAYED, CONFLICT, UNPROVEN, PLAIN_OF_SEALED = Verdict


class Holder(Struct, gc=False, eq=False):
    """The agent that holds a name.

    ``session`` is None where no agent has held the name. ``challenge`` is what an agent must show:
    only one that receives answers can know it. ``proven`` is whether this holder or one before it
    has shown its challenge.
    """

    session: int | None = None
    salt: bytes = b""
    generation: int | None = None
    challenge: bytes = b""
    proven: bool = False
    _newest_session: int = -1
    _heard_once: bool = False
    _rival: bytes | int | None = None  # the identity of the agent that was refused last
    _newest_rnd: bytes = b""

    @classmethod
    def of_file(
        cls,
        session: int,
        salt: bytes,
        generation: int | None,
        challenge: bytes,
        *,
        proven: bool,
    ) -> "Holder":
        """Return the holder that a name had when the exporter stopped."""
        return cls(
            session=session,
            salt=salt,
            generation=generation,
            challenge=challenge,
            proven=proven,
            _newest_session=session,
        )

    @property
    def is_sealed(self) -> bool:
        """Whether the name is held by an agent that seals, and refuses plain datagrams."""
        return bool(self.salt)

    def judge(self, claim: Claim, *, is_free: bool, is_down: bool) -> Verdict:
        """Return what to do with a datagram of a session, by its holder alone.

        ``is_free`` is whether the holder said bye or was silent for ``FREE_AFTER`` of its
        intervals, ``is_down`` whether the host is down.
        """
        if self.session is None:
            return TAKE
        if self.salt and not claim.salt:
            return PLAIN_OF_SEALED
        if claim.salt == self.salt if claim.salt else claim.session == self.session:
            return ACCEPT
        if claim.salt and not self.salt and not self.proven:
            return TAKE  # the key proves the name; a plain datagram proves nothing
        if not is_free:
            return TAKE if self._is_outnumbered_by(claim) else CONFLICT
        return self._judge_successor(claim, is_down=is_down)

    def _judge_successor(self, claim: Claim, *, is_down: bool) -> Verdict:
        """Return what to do with a datagram of another agent when the name is free."""
        if claim.salt and self.proven:
            return TAKE if claim.challenge == self.challenge else UNPROVEN
        return REPLAYED if self._is_of_ended_session(claim, is_down=is_down) else TAKE

    def _is_of_ended_session(self, claim: Claim, *, is_down: bool) -> bool:
        """Return whether a session is older than one that was heard, so perhaps recorded.

        Who has shown the challenge is there now. A plain agent whose clock went back is accepted
        once the host is down: its datagrams could be forged anyway.
        """
        if claim.session > self._newest_session:
            return False
        return bool(claim.salt) or not is_down

    def _is_outnumbered_by(self, claim: Claim) -> bool:
        """Return whether the holder was heard once, in plain, and this is the other's second.

        So one forged datagram does not keep the agent out, and two agents do not take the name
        from each other in turn.
        """
        return self._heard_once and not self.salt and claim.identity == self._rival

    def refused(self, claim: Claim) -> None:
        """Note that another agent was refused."""
        self._rival = claim.identity

    def was_refused(self, claim: Claim) -> bool:
        """Return whether datagrams of this agent were refused, so that some of its numbers miss."""
        return claim.identity == self._rival

    def take(self, claim: Claim, random: Callable[[int], bytes]) -> None:
        """Give the name to another agent; sealed ones get another challenge."""
        self.session, self.salt = claim.session, claim.salt
        self.generation = claim.generation
        if claim.salt:
            self._newest_session = max(self._newest_session, claim.session)
        self._rival = None
        self.challenge = random(CHALLENGE_BYTES) if claim.salt else b""
        self._heard_once, self._newest_rnd = True, b""

    def is_clone(self, rnd: bytes, *, is_newest: bool) -> bool:
        """Return whether two agents have the same numbers: the newest came with two ``rnd``."""
        return is_newest and bool(self._newest_rnd) and rnd != self._newest_rnd

    def heard(self, claim: Claim, *, is_newest: bool) -> None:
        """Note an accepted datagram of the holder, other than its first."""
        self._heard_once = False
        self._newest_session = max(self._newest_session, claim.session)
        if is_newest:
            self._newest_rnd = claim.rnd
        if claim.salt and claim.challenge == self.challenge:
            self.proven = True


def plain_claim(header: Header) -> Claim | None:
    """Return the claim of a plain datagram; None where it has no session.

    Its monotonic time is what differs between two clones of a virtual machine.
    """
    if header.session is None:
        return None
    return Claim(header.session, rnd=b"%r" % header.monotonic)
