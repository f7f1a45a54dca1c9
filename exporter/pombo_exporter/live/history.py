"""The last five minutes of each host, for the curves of the status page.

A task of its own samples the history from the roster, also without subscribers. Of a host that is
down, it keeps the five minutes before.
"""

import asyncio
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import orjson
from msgspec import Struct

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.severity import DEFAULTS, Table
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import Pacer, StepClock, rest_after
from pombo_exporter.views import describe

STEP_SECONDS: Final = 5
POINTS: Final = 60  # five minutes

#: The fields of a host's summary that are kept, and the decimals that a curve needs.
CURVES: Final = {
    "cpu_usage_ratio": 4,
    "memory_used_ratio": 4,
    "network_receive_bytes_per_second": 0,
    "network_transmit_bytes_per_second": 0,
}

#: After so many samples, the values that are over a threshold are noted once.
_HOLD_EVERY: Final = 3

_Points = np.ndarray[tuple[int], np.dtype[np.float32]]

_UNKNOWN = (nan,) * len(CURVES)

#: Seconds without a sample, as on a busy machine, that are filled with the next one.
_MAX_GAP: Final = 12.0 * STEP_SECONDS


@dataclass(frozen=True)
class History:
    """A host's curves, the oldest point first; an unknown point is NaN, in JSON null.

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
    step: int  # of the newest point, counted since 1970
    values: "array[float]"  # those of CURVES, for each of at most POINTS steps


class Histories:
    """The histories of all hosts."""

    def __init__(self) -> None:
        self._rings: dict[str, _Ring] = {}

    def __len__(self) -> int:
        """Return the number of hosts with a history."""
        return len(self._rings)

    def record(self, name: str, interval: float, values: Sequence[float], wall: float) -> None:
        """Append a host's present values, those of CURVES in order, NaN where unknown.

        ``interval`` is between two reports of the host, ``wall`` the time of day, both in seconds.
        Steps without a sample get the same values, unless there are so many of them that the host
        must have been down in between.
        """
        rounded = [*map(round, values, CURVES.values())]
        step = int(wall // STEP_SECONDS)
        ring = self._rings.get(name)
        if ring is None or step < ring.step:  # the wall clock may step back
            ring = self._rings[name] = _Ring(step - 1, array("f"))
        steps = min(step - ring.step, POINTS)
        is_short = steps * STEP_SECONDS <= max(3 * interval, _MAX_GAP)
        if not steps:
            del ring.values[-len(CURVES) :]
        for _ in range(steps - 1):
            ring.values.extend(rounded if is_short else _UNKNOWN)
        ring.values.extend(rounded)
        del ring.values[: -POINTS * len(CURVES)]
        ring.step = step

    def of(self, name: str, wall: float) -> History:
        """Return a host's history; without points when it has none."""
        ring = self._rings.get(name) or _Ring(int(wall // STEP_SECONDS), array("f"))
        points = np.array(ring.values, np.float32).reshape(-1, len(CURVES))
        curves = np.ascontiguousarray(points.T)
        return History(STEP_SECONDS, float(ring.step * STEP_SECONDS), *curves)

    def names(self) -> list[str]:
        """Return the names of the hosts with a history."""
        return [*self._rings]

    def drop(self, name: str) -> None:
        """Drop the history of a host that is gone."""
        self._rings.pop(name, None)


class HistorySampler:
    """Samples the hosts of a roster once in a step, for at most a tenth of the time.

    With each third sample it notes which values are over a threshold, for ``views.attention``.
    """

    def __init__(
        self, roster: Roster, histories: Histories, pacer: Pacer, thresholds: Table = DEFAULTS
    ) -> None:
        self._roster, self._histories, self._pacer = roster, histories, pacer
        self._thresholds, self._samples = thresholds, 0

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            started = moment()
            await self.sample(*started)
            took = moment().now - started.now
            await asyncio.sleep(max(STEP_SECONDS - took, rest_after(took)))

    async def sample(self, now: float, wall: float) -> None:
        """Record every host that is not down, and drop those that are gone."""
        snapshot = self._roster.snapshot(now, wall)
        self._samples += 1
        await self._pacer.collect(lambda steps: self._record(snapshot, steps))

    def _record(self, snapshot: Snapshot, steps: StepClock) -> Iterator[None]:
        present: set[str] = set()
        with snapshot:
            for batch in steps.size(describe.FIRST).batches(snapshot, describe.weight):
                present.update(host.name for host in batch)
                hosts = [host for host in batch if host.state_at(snapshot.now) is not State.DOWN]
                values = describe.curve_values(hosts, snapshot.now).T.tolist()
                for host, found in zip(hosts, values, strict=True):
                    self._histories.record(host.name, host.interval, found, snapshot.wall)
                if self._samples % _HOLD_EVERY == 1:
                    held = describe.held(hosts, snapshot.now, self._thresholds)
                    for host, numbers in zip(hosts, held, strict=True):
                        self._roster.hold(host.name, numbers)
                yield
        for name in self._histories.names():
            if name not in present:
                self._histories.drop(name)
            if steps.step_is_over:
                yield
