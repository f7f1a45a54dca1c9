"""How many of a host's datagrams were received and lost in the last ten minutes.

What is kept are samples of both counts: three numbers each, in an array that is replaced and never
changed, so that copies of a host may share it.
"""

from array import array
from typing import Final

WINDOW_SECONDS: Final = 600.0

#: Of a host that has not been sampled yet.
NO_SAMPLES: Final = array("d")

_STEP_SECONDS: Final = 120.0
_FIELDS: Final = 3  # of a sample: when (monotonic clock, seconds), datagrams received, and lost


def sampled(samples: "array[float]", now: float, received: float, lost: float) -> "array[float]":
    """Return the samples with the counts of ``now``, if the last ones are two minutes old.

    The first sample is 0: the counts of a host begin with it. Of the samples that are older than
    the window, the newest is kept.
    """
    if not samples:
        return array("d", (now, 0.0, 0.0))
    if now - samples[-_FIELDS] < _STEP_SECONDS:
        return samples
    while len(samples) > _FIELDS and samples[_FIELDS] <= now - WINDOW_SECONDS:
        samples = samples[_FIELDS:]
    return samples + array("d", (now, received, lost))


def since(samples: "array[float]", received: float, lost: float) -> tuple[float, float]:
    """Return how many datagrams were received and lost since the oldest sample."""
    if not samples:
        return received, lost
    return received - samples[1], lost - samples[2]


def latest(samples: "array[float]") -> float:
    """Return when the latest sample was taken; 0 without any."""
    return samples[-_FIELDS] if samples else 0.0
