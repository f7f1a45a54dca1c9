"""Decodes a datagram and admits its report, or counts why it was refused."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from pombo_cli.logs import LimitedLogger
from pombo_wire import DecodeError, Reason
from pombo_wire.reading import read
from pombo_wire.sealing import SEALED

from pombo_exporter.hosts.host import Address
from pombo_exporter.hosts.limits import AdmissionError, RefusalReason
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.ingest.refusals import RefusalLog

if TYPE_CHECKING:
    from pombo_exporter.ingest.sealed import Answer, SealedIntake

log = logging.getLogger(__name__)

#: Every reason for which a datagram is refused.
REASONS = (*Reason, *RefusalReason)

_SEALED = bytes((SEALED,))
_EXCERPT = 120  # bytes of a refused datagram in the log
_LOG_INTERVAL = 60.0  # seconds between two lines of one reason


class Intake:
    """Takes datagrams into a roster, and counts them.

    ``answers`` opens sealed datagrams and answers them; without it, sealed ones are refused. With
    ``require_sealed``, all others are.
    """

    def __init__(
        self,
        roster: Roster,
        clock: Callable[[], float],
        sealed: "SealedIntake | None" = None,
        *,
        require_sealed: bool = False,
    ) -> None:
        self._roster, self._sealed, self._require_sealed = roster, sealed, require_sealed
        self._log = LimitedLogger(log, _LOG_INTERVAL, clock)
        self.received = 0
        #: When the last datagram arrived, whatever became of it: Unix time, 0 before the first one.
        self.last_wall = 0.0
        self.recent = RefusalLog()
        self.refused: Counter[str] = Counter({str(reason): 0 for reason in REASONS})

    @property
    def acknowledgements(self) -> int:
        """How many answers were sent to sealed datagrams."""
        return 0 if self._sealed is None else self._sealed.answers

    def take(
        self,
        datagram: bytes,
        address: Address,
        now: float,
        wall: float,
        answer: "Answer | None" = None,
    ) -> DecodeError | AdmissionError | None:
        """Store what a datagram reports; or count, log and return why it was refused.

        ``now`` is the monotonic clock, ``wall`` the time of day, both in seconds. ``answer`` sends
        the acknowledgement of a sealed datagram that did not come over UDP.
        """
        self.received += 1
        self.last_wall = wall
        try:
            if datagram[:1] == _SEALED:
                self._take_sealed(datagram, address, now, wall, answer)
            else:
                self._take_plain(datagram, address, now, wall)
        except (DecodeError, AdmissionError) as error:
            reason = error.reason
            self.refused[reason] += 1
            self.recent.add(reason, str(error), str(address[0]), datagram, wall)
            if not self._log.suppresses(reason):
                self._log.warning(
                    "datagram refused",
                    key=reason,
                    reason=reason,
                    detail=error,
                    address=address[0],
                    datagram=datagram[:_EXCERPT],
                )
            return error
        return None

    def _take_plain(self, datagram: bytes, address: Address, now: float, wall: float) -> None:
        if self._require_sealed:
            detail = "with --require-sealed only sealed datagrams are taken: enrol the host"
            raise AdmissionError(RefusalReason.NOT_SEALED, detail)
        found = read(datagram)
        if self._sealed is not None:
            self._sealed.check_plain(found.header.host)
        self._roster.admit(found, address, now, wall)

    def _take_sealed(
        self,
        datagram: bytes,
        address: Address,
        now: float,
        wall: float,
        answer: "Answer | None",
    ) -> None:
        if self._sealed is None:
            detail = "the exporter has no key: give it --seal.key-file"
            raise DecodeError(Reason.UNKNOWN_KEY, detail)
        self._sealed.take(datagram, address, now, wall, answer)
