"""A moment on both clocks of the exporter."""

from time import monotonic, time
from typing import Final, NamedTuple

_CLOSE: Final = 0.001  # seconds between two readings that count as one moment
_TRIES: Final = 5


class Moment(NamedTuple):
    """A moment: ``now`` on the monotonic clock, ``wall`` as Unix time, both in seconds."""

    now: float
    wall: float


def moment() -> Moment:
    """Read both clocks.

    On a busy machine the process may lose the core between two readings, and then the two would
    be of different moments: a host's last report would seem to be later than it was. So clocks
    that were read far apart are read again.
    """
    for _ in range(_TRIES):
        found = Moment(monotonic(), time())
        if monotonic() - found.now < _CLOSE:
            break
    return found
