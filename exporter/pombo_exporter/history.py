"""The last minutes of each host, as curves: a few numbers a host, in a ring.

Time is the exporter's time of day in seconds, and comes in as an argument.
"""

from array import array
from math import isfinite, nan
from typing import Final

from msgspec import Struct

from pombo_exporter.views import HostSummary

STEP_SECONDS: Final = 5
POINTS: Final = 60  # five minutes

#: The fields of a host's summary that are kept.
CURVES: Final = (
    "cpu_usage_ratio",
    "memory_used_ratio",
    "network_receive_bytes_per_second",
    "network_transmit_bytes_per_second",
)

_LACKING = (nan,) * len(CURVES)


class History(Struct, frozen=True):
    """A host's curves, the oldest point first; a point that is not known is None.

    ``end_timestamp_seconds`` is when the step of the last point began.
    """

    step_seconds: int
    end_timestamp_seconds: float
    cpu_usage_ratio: list[float | None]
    memory_used_ratio: list[float | None]
    network_receive_bytes_per_second: list[float | None]
    network_transmit_bytes_per_second: list[float | None]


class _Ring(Struct, gc=False):
    step: int  # the newest one's number, counted since 1970
    values: "array[float]"  # those of CURVES, for each of at most POINTS steps


class Histories:
    """The curves of all hosts."""

    def __init__(self) -> None:
        self._rings: dict[str, _Ring] = {}

    def __len__(self) -> int:
        """Return how many hosts have one."""
        return len(self._rings)

    def note(self, host: HostSummary, wall: float) -> None:
        """Take what a host said last.

        It stands for the steps since the one before as well, unless these are so many that the
        host was down meanwhile.
        """
        values = [nan if (v := getattr(host, name)) is None else v for name in CURVES]
        step = int(wall // STEP_SECONDS)
        ring = self._rings.get(host.name)
        if ring is None or step < ring.step:  # the time of day may go back
            ring = self._rings[host.name] = _Ring(step - 1, array("f"))
        steps = min(step - ring.step, POINTS)
        between = values if steps * STEP_SECONDS <= _stands(host) else _LACKING
        if not steps:
            del ring.values[-len(CURVES) :]
        for _ in range(steps - 1):
            ring.values.extend(between)
        ring.values.extend(values)
        del ring.values[: -POINTS * len(CURVES)]
        ring.step = step

    def of(self, name: str, wall: float) -> History:
        """Return a host's curves; without points when it has none."""
        ring = self._rings.get(name) or _Ring(int(wall // STEP_SECONDS), array("f"))
        known = [value if isfinite(value) else None for value in ring.values]
        curves = (known[place :: len(CURVES)] for place in range(len(CURVES)))
        return History(STEP_SECONDS, float(ring.step * STEP_SECONDS), *curves)

    def drop(self, name: str) -> None:
        """Let go of a host that is down or forgotten."""
        self._rings.pop(name, None)


def _stands(host: HostSummary) -> float:
    """Return for how long a value may stand, in seconds; of a great fleet, not all are noted."""
    return max(3 * host.interval_seconds, 12.0 * STEP_SECONDS)
