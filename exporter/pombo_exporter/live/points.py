"""The points of curves: two bytes each, in flat arrays for many hosts.

A point is a *code*. A ratio is kept to four decimals, a rate within 0.03 %, up to 2^50. The
greater of two codes is the greater value, and 0 is a value that is not known, so new arrays need
no filling.
"""

from math import nan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pombo_exporter.metrics.rows import Floats

STEP_SECONDS: Final = 5
POINTS: Final = 60  # five minutes

#: How many ratios come first of the curves, and how many rates come then.
RATIOS: Final = 2
RATES: Final = 2
CURVES: Final = RATIOS + RATES

#: The hosts that share arrays. Fewer take more calls of numpy, more are memory that lies idle.
SLAB: Final = 64

#: How many points make a minute, and of how many minutes all points are kept.
PER_MINUTE: Final = 60 // STEP_SECONDS
_MINUTES: Final = POINTS // PER_MINUTE

_UNKNOWN: Final = 0
_MOST: Final = 2**16 - 1
_CODE_BYTES: Final = 2
_STEP_BYTES: Final = 8
_OF_RATIO: Final = 10_000  # codes from 0 to 1
_OF_RATE: Final = 1_300  # codes from a rate to its double

Codes = NDArray[np.uint16]
Points = NDArray[np.float32]
_Steps = NDArray[np.int64]


def _values() -> Points:
    """Return the value of each code: of a ratio, and of a rate, of shape (2, codes)."""
    codes = np.arange(_MOST + 1) - 1.0
    found = np.stack((codes / _OF_RATIO, np.rint(np.exp2(codes / _OF_RATE) - 1)))
    found[:, _UNKNOWN] = nan
    return found.astype(np.float32)


_VALUES: Final = _values()
_KINDS: Final = np.repeat((0, 1), (RATIOS, RATES))[:, None]


@np.errstate(invalid="ignore", over="ignore")
def encoded(values: Floats) -> Codes:
    """Return the codes of values of shape (CURVES, n), of shape (n, CURVES)."""
    known = (values >= 0) & np.isfinite(values)
    found = np.where(known, values, 0.0)
    found[:RATIOS] *= _OF_RATIO
    found[RATIOS:] = np.log2(1 + found[RATIOS:]) * _OF_RATE
    codes = np.minimum(np.rint(found) + 1, _MOST)
    return np.where(known, codes, _UNKNOWN).T.astype(np.uint16)


def decoded(codes: Codes) -> Points:
    """Return the values of codes, of shape (…, CURVES, k); NaN where not known."""
    found: Points = _VALUES[_KINDS, codes]
    return found


class Slab:
    """The points of at most SLAB hosts, each of which has a row.

    They are rings: a point is at the index of its step, counted since 1970, modulo their length.
    ``recent`` has a point for each step. ``minutes`` has two for each minute and curve: the mean of
    the points, and after all means the greatest.
    """

    def __init__(self, minutes: int) -> None:
        """Make rings for so many minutes; none with 0."""
        self._recent: Codes = np.zeros((SLAB, CURVES, POINTS), np.uint16)
        self._minutes: Codes = np.zeros((SLAB, 2 * CURVES, minutes), np.uint16)
        self._first: _Steps = np.zeros(SLAB, np.int64)  # the step of each row's first point
        self._last: _Steps = np.full(SLAB, -1, np.int64)  # and of its last one; none with -1
        self._free: list[int] = [*range(SLAB)]

    @staticmethod
    def size(minutes: int) -> int:
        """Return how many bytes the arrays of a slab take."""
        points = CURVES * (POINTS + 2 * minutes)
        return SLAB * (points * _CODE_BYTES + 2 * _STEP_BYTES)

    @property
    def is_full(self) -> bool:
        """Whether each row has a host."""
        return not self._free

    @property
    def is_empty(self) -> bool:
        """Whether no row has a host."""
        return len(self._free) == SLAB

    def claim(self) -> int:
        """Return a row without points, which is then taken."""
        row = self._free.pop()
        self._last[row] = -1
        return row

    def free(self, row: int) -> None:
        """Give up a row."""
        self._free.append(row)

    def write(self, rows: NDArray[np.intp], step: int, codes: Codes, longest: _Steps) -> None:
        """Write the points of one step, of shape (n, CURVES), and those of steps without any.

        These have the same value, unless there are more of them than ``longest``, of shape (n,):
        the host must have been down in between. The wall clock may step back: then the curves
        start over.
        """
        last = self._last[rows]
        is_new = (last < 0) | (last > step)
        if is_new.any():
            new = rows[is_new]
            self._recent[new] = self._minutes[new] = _UNKNOWN
            self._first[new] = step
            last[is_new] = step - 1
        gaps = step - last
        for back in range(1, min(int(gaps.max()), POINTS)):
            of = gaps > back
            filling = np.where((gaps[of] <= longest[of])[:, None], codes[of], _UNKNOWN)
            self._recent[rows[of], :, (step - back) % POINTS] = filling
        self._recent[rows, :, step % POINTS] = codes
        self._last[rows] = step
        if self._minutes.size:
            self._write_minutes(rows, step, gaps)

    def _write_minutes(self, rows: NDArray[np.intp], step: int, gaps: _Steps) -> None:
        """Write the present minute so far, and those before it that got points or have none."""
        minute, places = step // PER_MINUTE, self._minutes.shape[2]
        self._write_minute(rows, minute, step % PER_MINUTE + 1)
        passed = minute - (step - gaps) // PER_MINUTE  # since the one of the last point
        for back in range(1, min(int(passed.max()) + 1, places)):
            if back < _MINUTES:
                self._write_minute(rows[(passed >= back) & (gaps > 1)], minute - back, PER_MINUTE)
            else:
                self._minutes[rows[passed > back], :, (minute - back) % places] = _UNKNOWN

    def _write_minute(self, rows: NDArray[np.intp], minute: int, count: int) -> None:
        """Write the mean and the greatest of the first ``count`` points of a minute."""
        if not len(rows):
            return
        start = minute % _MINUTES * PER_MINUTE
        points = self._recent[rows, :, start : start + count]
        known = points != _UNKNOWN
        counts = known.sum(axis=2)
        sums = decoded(points).sum(axis=2, where=known)
        means = np.divide(sums, counts, out=np.full(sums.shape, nan), where=counts > 0)
        place = minute % self._minutes.shape[2]
        self._minutes[rows, :CURVES, place] = encoded(means.T)
        self._minutes[rows, CURVES:, place] = points.max(axis=2)

    def recent(self, row: int) -> tuple[int, Points]:
        """Return the step of a row's last point, and its points, of shape (CURVES, k)."""
        first, last = int(self._first[row]), int(self._last[row])
        return last, decoded(_newest(self._recent[row], first, last))

    def minutes(self, row: int) -> tuple[int, Points, Points]:
        """Return a row's last minute, and the means and the maxima, each of shape (CURVES, k)."""
        first, last = int(self._first[row]) // PER_MINUTE, int(self._last[row]) // PER_MINUTE
        codes = _newest(self._minutes[row], first, last)
        return last, decoded(codes[:CURVES]), decoded(codes[CURVES:])


def _newest(ring: Codes, first: int, last: int) -> Codes:
    """Return the points from a step to another one, the oldest first; of those that are kept."""
    length = ring.shape[1]
    steps = np.arange(max(first, last - length + 1), last + 1)
    found: Codes = ring.take(steps % length, axis=1)
    return found
