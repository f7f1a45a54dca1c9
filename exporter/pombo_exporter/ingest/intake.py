"""Decodes a datagram and admits its report, or counts why it was refused."""

import logging
from collections import Counter
from collections.abc import Callable

from pombo_cli.logs import LimitedLogger
from pombo_wire import DecodeError, Reason
from pombo_wire.reading import read

from pombo_exporter.hosts.host import Address
from pombo_exporter.hosts.limits import AdmissionError, RefusalReason
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.ingest.refusals import RefusalLog

log = logging.getLogger(__name__)

#: Every reason for which a datagram is refused.
REASONS = (*Reason, *RefusalReason)

_EXCERPT = 120  # bytes of a refused datagram in the log
_LOG_INTERVAL = 60.0  # seconds between two lines of one reason


class Intake:
    """Takes datagrams into a roster, and counts them."""

    def __init__(self, roster: Roster, clock: Callable[[], float]) -> None:
        self._roster = roster
        self._log = LimitedLogger(log, _LOG_INTERVAL, clock)
        self.received = 0
        self.recent = RefusalLog()
        self.refused: Counter[str] = Counter({str(reason): 0 for reason in REASONS})

    def take(self, datagram: bytes, address: Address, now: float, wall: float) -> None:
        """Store what a datagram reports, or count and log why it was refused.

        ``now`` is the monotonic clock, ``wall`` the time of day, both in seconds.
        """
        self.received += 1
        try:
            self._roster.admit(read(datagram), address, now, wall)
        except (DecodeError, AdmissionError) as error:
            self.refused[error.reason] += 1
            self.recent.add(error.reason, str(error), str(address[0]), datagram, wall)
            self._log.warning(
                "datagram refused",
                key=error.reason,
                reason=error.reason,
                detail=error,
                address=address[0],
                datagram=datagram[:_EXCERPT],
            )
