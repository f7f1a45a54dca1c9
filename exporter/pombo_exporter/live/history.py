"""The last minutes of each host, and its last hour, for the curves of the status page.

Five minutes have a point every five seconds; an hour has two for each minute, the mean and the
greatest of these. A task of its own samples them from the roster, also without subscribers. Of a
host that is down, it keeps those before its last report, until the host is forgotten.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
import orjson

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.hosts.severity import DEFAULTS, Table
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.live.points import (
    CURVES,
    PER_MINUTE,
    SLAB,
    STEP_SECONDS,
    Points,
    Slab,
    encoded,
)
from pombo_exporter.metrics.rows import Floats
from pombo_exporter.runtime.moment import Moment, moment
from pombo_exporter.runtime.pacing import Pacer, StepClock, rest_after
from pombo_exporter.stats import Booked
from pombo_exporter.views import describe

#: The fields of a host's summary that are kept: first ratios, then rates.
FIELDS: Final = (
    "cpu_usage_ratio",
    "memory_used_ratio",
    "network_receive_bytes_per_second",
    "network_transmit_bytes_per_second",
)

#: How long the points of minutes go back by default, in seconds.
HOUR: Final = 3600.0

#: The seconds of a point of minutes.
MINUTE_SECONDS: Final = PER_MINUTE * STEP_SECONDS

#: After so many samples, the values that are over a threshold are noted once.
_HOLD_EVERY: Final = 3

#: Hosts that are recorded in the first step of many.
_FIRST: Final = 2 * SLAB

#: Seconds without a sample, as on a busy machine, that are filled with the next one.
_MAX_GAP: Final = 12.0 * STEP_SECONDS


@dataclass(frozen=True)
class History:
    """A host's curves, the oldest point first; an unknown point is NaN, in JSON null.

    ``end_timestamp_seconds`` is when the step of the last point began. ``curves`` has the points by
    field; those of the greatest value of each step have names that end with ``_max``.
    """

    step_seconds: int
    end_timestamp_seconds: float
    curves: Mapping[str, Points]

    def json(self) -> bytes:
        """Return it as JSON."""
        fields = {
            "step_seconds": self.step_seconds,
            "end_timestamp_seconds": self.end_timestamp_seconds,
            **self.curves,
        }
        return orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)


class Histories:
    """The histories of all hosts, of which there are at most ``hosts``.

    ``seconds`` is how long points of minutes are kept; there are none with 0.
    """

    def __init__(self, hosts: int = 10_000, seconds: float = HOUR) -> None:
        self._most, self._minutes = hosts, ceil(seconds / MINUTE_SECONDS)
        self._slabs: dict[int, Slab] = {}  # by their number
        self._open: dict[int, None] = {}  # numbers of slabs that have free rows
        self._places: dict[str, int] = {}  # by the name of a host: SLAB * slab + row
        self._made = 0

    def __len__(self) -> int:
        """Return the number of hosts with a history."""
        return len(self._places)

    @property
    def seconds(self) -> int:
        """For how long points of minutes are kept, in seconds."""
        return self._minutes * MINUTE_SECONDS

    @property
    def bytes_of_host(self) -> int:
        """How many bytes the points of a host take."""
        return Slab.size(self._minutes) // SLAB

    @property
    def memory(self) -> Booked:
        """What is booked for the points of all hosts, and for those of as many as there may be."""
        return Booked(len(self) * self.bytes_of_host, self._most * self.bytes_of_host)

    def record(
        self, names: Sequence[str], intervals: Sequence[float], values: Floats, wall: float
    ) -> None:
        """Append the present values of hosts, those of FIELDS in order, of shape (CURVES, h).

        ``intervals`` are those between two reports of each host, ``wall`` is the time of day, both
        in seconds. Steps without a sample get the same values, unless there are so many of them
        that the host must have been down in between.
        """
        places = np.fromiter(map(self._place, names), np.int64, len(names))
        longest = np.maximum(3 * np.array(intervals, float), _MAX_GAP) // STEP_SECONDS
        step, codes = int(wall // STEP_SECONDS), encoded(values)
        numbers = places // SLAB
        for number in sorted({*numbers.tolist()} - {-1}):
            of = np.flatnonzero(numbers == number)
            rows = places[of] % SLAB
            self._slabs[number].write(rows, step, codes[of], longest[of].astype(np.int64))

    def of(self, name: str, wall: float) -> History:
        """Return a host's last five minutes; without points when it has none."""
        place = self._places.get(name)
        step, points = int(wall // STEP_SECONDS), np.empty((CURVES, 0), np.float32)
        if place is not None:
            step, points = self._slabs[place // SLAB].recent(place % SLAB)
        end = float(step * STEP_SECONDS)
        return History(STEP_SECONDS, end, dict(zip(FIELDS, points, strict=True)))

    def minutes_of(self, name: str, wall: float) -> History:
        """Return the points of a host's minutes; without points when it has none."""
        place = self._places.get(name)
        minute = int(wall // MINUTE_SECONDS)
        means = maxima = np.empty((CURVES, 0), np.float32)
        if place is not None and self._minutes:
            minute, means, maxima = self._slabs[place // SLAB].minutes(place % SLAB)
        curves = dict(zip(FIELDS, means, strict=True))
        curves |= {f"{name}_max": of for name, of in zip(FIELDS, maxima, strict=True)}
        return History(MINUTE_SECONDS, float(minute * MINUTE_SECONDS), curves)

    def names(self) -> list[str]:
        """Return the names of the hosts with a history."""
        return [*self._places]

    def drop(self, name: str) -> None:
        """Drop the history of a host that is gone."""
        place = self._places.pop(name, None)
        if place is None:
            return
        number = place // SLAB
        slab = self._slabs[number]
        slab.free(place % SLAB)
        self._open[number] = None
        if slab.is_empty:
            del self._slabs[number], self._open[number]

    def _place(self, name: str) -> int:
        """Return the place of a host, a new one if it has none; -1 where there is no room."""
        place = self._places.get(name)
        if place is not None:
            return place
        if len(self._places) >= self._most:
            return -1
        if not self._open:
            self._slabs[self._made] = Slab(self._minutes)
            self._open[self._made] = None
            self._made += 1
        number = next(iter(self._open))
        slab = self._slabs[number]
        place = self._places[name] = number * SLAB + slab.claim()
        if slab.is_full:
            del self._open[number]
        return place


class HistorySampler:
    """Samples the hosts of a roster once in a step, for at most a tenth of the time.

    With each third sample it notes which values are over a threshold, for ``views.attention``.
    """

    def __init__(
        self,
        roster: Roster,
        histories: Histories,
        pacer: Pacer,
        thresholds: Table = DEFAULTS,
        clock: Callable[[], Moment] = moment,
    ) -> None:
        self._roster, self._histories, self._pacer = roster, histories, pacer
        self._thresholds, self._clock, self._samples = thresholds, clock, 0

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            started = self._clock()
            await self.sample(*started)
            took = self._clock().now - started.now
            await asyncio.sleep(max(STEP_SECONDS - took, rest_after(took)))

    async def sample(self, now: float, wall: float) -> None:
        """Record every host that is not down, and drop those that are gone."""
        self._samples += 1
        await self._pacer.collect(self._drop)
        snapshot, most = self._roster.snapshot(now, wall), len(self._roster.hosts)
        await self._pacer.collect(lambda steps: self._record(snapshot, most, steps))

    def _drop(self, steps: StepClock) -> Iterator[None]:
        for name in self._histories.names():
            if self._roster.find(name) is None:
                self._histories.drop(name)
            if steps.step_is_over:
                yield

    def _record(self, snapshot: Snapshot, most: int, steps: StepClock) -> Iterator[None]:
        """Record the hosts of a snapshot, ``most`` at most."""
        names: list[str] = []
        intervals: list[float] = []
        values = np.empty((CURVES, most))
        with snapshot:
            for batch in steps.size(describe.FIRST).batches(snapshot, describe.weight):
                hosts = [host for host in batch if host.state_at(snapshot.now) is not State.DOWN]
                names += [each.name for each in hosts]
                intervals += [each.interval for each in hosts]
                values[:, len(names) - len(hosts) : len(names)] = describe.curve_values(
                    hosts, snapshot.now
                )
                if self._samples % _HOLD_EVERY == 1:
                    held = describe.held(hosts, snapshot.now, self._thresholds)
                    for host, numbers in zip(hosts, held, strict=True):
                        self._roster.hold(host.name, numbers)
                yield
        # Not with each batch: hosts that share arrays cost little more than one of them.
        for start, stop in steps.size(_FIRST).ranges(len(names)):
            some = slice(start, stop)
            self._histories.record(names[some], intervals[some], values[:, some], snapshot.wall)
            yield
