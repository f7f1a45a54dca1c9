"""A datagram's way in: decode, admit, and count whatever is refused."""

import logging
from collections import Counter
from collections.abc import Callable

from pombo_cli.logs import Limiter
from pombo_wire import DecodeError, Reason, decode

from pombo_exporter.hosts.host import Address
from pombo_exporter.hosts.roster import Refusal, RefusedError, Roster
from pombo_exporter.ingest.rejections import Refusals

log = logging.getLogger(__name__)

#: Every reason for which a datagram is refused.
REASONS = (*Reason, *Refusal)

_EXCERPT = 120  # bytes of a refused datagram that the log shows


class Intake:
    """Takes datagrams into a roster."""

    def __init__(self, roster: Roster, clock: Callable[[], float]) -> None:
        self._roster = roster
        self._limiter = Limiter(every=60.0, clock=clock)
        self.received = 0
        self.recent = Refusals()
        self.refused: Counter[str] = Counter({str(reason): 0 for reason in REASONS})

    def take(self, datagram: bytes, address: Address, now: float, wall: float) -> None:
        """Hold what a datagram reports, or count and log why it was refused.

        ``now`` is the monotonic clock, ``wall`` the time of day, both in seconds.
        """
        self.received += 1
        try:
            self._roster.admit(decode(datagram), address, now, wall)
        except (DecodeError, RefusedError) as error:
            self.refused[error.reason] += 1
            self.recent.note(error.reason, str(error), str(address[0]), datagram, wall)
            self._log(error, datagram, address)

    def _log(self, error: DecodeError | RefusedError, datagram: bytes, address: Address) -> None:
        held_back = self._limiter.allows(error.reason)
        if held_back is not None:
            fields = {
                "reason": error.reason,
                "detail": error,
                "address": address[0],
                "datagram": repr(datagram[:_EXCERPT]),
                "more_since": held_back,
            }
            log.warning("datagram refused", extra={"fields": fields})
