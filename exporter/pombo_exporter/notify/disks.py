"""Which filesystems of hosts are full, or nearly."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Final, NamedTuple

from pombo_exporter.hosts.host import Host, State
from pombo_exporter.hosts.severity import Thresholds, check
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics import derive
from pombo_exporter.metrics.rows import gather
from pombo_exporter.notify.events import Problems
from pombo_exporter.runtime.moment import Moment
from pombo_exporter.runtime.pacing import StepClock

_SECTION: Final = "filesystems"
_FIRST: Final = 400  # weight of the first step
_WEIGHT: Final = 10  # rows that take as long as the rest of a host


class Threshold(NamedTuple):
    """From which used share on a filesystem is full, and below which it no longer is."""

    full: float
    clear: float


def threshold_of(disk: Thresholds) -> Threshold:
    """Return the threshold by those of the severity of hosts, ``--threshold.disk``."""
    return Threshold(disk.critical, disk.critical * (1 - check("disk").margin))


def scan(
    snapshot: Snapshot, problems: Problems, threshold: Threshold, steps: StepClock
) -> Iterator[None]:
    """Note the full filesystems of all hosts that are not down; yields between steps.

    Of a host that is down, what was known stays.
    """
    at = Moment(snapshot.now, snapshot.wall)
    with snapshot:
        for batch in steps.size(_FIRST).batches(snapshot, _weight):
            hosts = [host for host in batch if host.state_at(snapshot.now) is not State.DOWN]
            for host, found in zip(hosts, _used(hosts, snapshot.now, threshold), strict=True):
                if found or problems.has_disks(host.name):
                    problems.disks(host, found, threshold.full, at)
            yield


def _weight(host: Host) -> int:
    return _WEIGHT + sum(
        section.rows
        for slot in host.shown()
        for section in slot.sections
        if section.name == _SECTION
    )


def _used(hosts: Sequence[Host], now: float, threshold: Threshold) -> list[dict[str, float]]:
    """Return the used share of the filesystems that are nearly full, by host and mount point."""
    rows = gather(hosts, (_SECTION,), now)[_SECTION]
    found: list[dict[str, float]] = [{} for _ in hosts]
    ratios = derive.filled_ratio(rows, "size", "free", "available")
    near = (ratios >= threshold.clear) & (rows.last("readonly") != 1)
    if not near.any():
        return found
    mountpoints = rows.texts("mountpoint")
    for row in near.nonzero()[0].tolist():
        used = float(ratios[row])
        host = found[rows.host_of[row]]
        if isfinite(used):
            host[mountpoints[row]] = max(used, host.get(mountpoints[row], 0.0))
    return found
