"""The last minutes of each host, as curves: a few numbers a host, in a ring.

Time is the exporter's time of day in seconds, and comes in as an argument.
"""

from array import array
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import orjson
from msgspec import Struct

from pombo_exporter.views.schema import HostSummary

STEP_SECONDS: Final = 5
POINTS: Final = 60  # five minutes

#: The fields of a host's summary that are kept, and their decimals: enough to draw them.
CURVES: Final = {
    "cpu_usage_ratio": 4,
    "memory_used_ratio": 4,
    "network_receive_bytes_per_second": 0,
    "network_transmit_bytes_per_second": 0,
}

_Points = np.ndarray[tuple[int], np.dtype[np.float32]]

_LACKING = (nan,) * len(CURVES)


@dataclass(frozen=True)
class History:
    """A host's curves, the oldest point first; a point that is not known is NaN, in JSON null.

    ``end_timestamp_seconds`` is when the step of the last point began.
    """

    step_seconds: int
    end_timestamp_seconds: float
    cpu_usage_ratio: _Points
    memory_used_ratio: _Points
    network_receive_bytes_per_second: _Points
    network_transmit_bytes_per_second: _Points

    def json(self) -> bytes:
        """Return it as JSON."""
        return orjson.dumps(self, option=orjson.OPT_SERIALIZE_NUMPY)


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
        values = [
            nan if (value := getattr(host, name)) is None else round(value, decimals)
            for name, decimals in CURVES.items()
        ]
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
        points = np.array(ring.values, np.float32).reshape(-1, len(CURVES))
        curves = np.ascontiguousarray(points.T)
        return History(STEP_SECONDS, float(ring.step * STEP_SECONDS), *curves)

    def drop(self, name: str) -> None:
        """Let go of a host that is down or forgotten."""
        self._rings.pop(name, None)


def _stands(host: HostSummary) -> float:
    """Return for how long a value may stand, in seconds; of a great fleet, not all are noted."""
    return max(3 * host.interval_seconds, 12.0 * STEP_SECONDS)
