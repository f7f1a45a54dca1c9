"""The exporter itself as a view: its counters, its limits and how full they are."""

import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from pombo_wire import MAX_DATAGRAM_BYTES

from pombo_exporter import __version__
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.ingest.refusals import Refusal
from pombo_exporter.ingest.remedies import REMEDIES
from pombo_exporter.metrics.rows import Floats
from pombo_exporter.runtime.moment import Moment
from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_exporter.stats import Counters, Stats
from pombo_exporter.views import describe
from pombo_exporter.views.schema import (
    ExporterStatus,
    FleetTotals,
    HostStates,
    Limit,
    RefusalSummary,
)


@dataclass
class HostTotals:
    """Totals over all hosts; ``fullest`` is the host with the most series.

    ``measured`` is as in ``describe.totals``.
    """

    states: Counter[State] = field(default_factory=Counter)
    most_series: int = 0
    fullest: str | None = None
    measured: Floats = field(default_factory=lambda: np.zeros(describe.TOTALS))

    def count(self, snapshot: Snapshot, steps: StepClock) -> Iterator[None]:
        """Count the hosts of a snapshot."""
        with snapshot:
            for hosts in steps.size(describe.FIRST).batches(snapshot, describe.weight):
                for host in hosts:
                    self.states[host.state_at(snapshot.now)] += 1
                    if host.series > self.most_series:
                        self.most_series, self.fullest = host.series, host.name
                self.measured += describe.totals(hosts, snapshot.now)
                yield

    def totals(self, datagrams_per_second: float | None) -> FleetTotals:
        """Return the totals of the hosts that are not down."""
        # A hostile host may report numbers whose sum is infinite, which JSON does not have.
        cores, busy, total, used, received, sent, loss = (
            each if isfinite(each) else 0.0 for each in self.measured.tolist()
        )
        running = self.states.total() - self.states[State.DOWN]
        mean = loss / running if running else None
        return FleetTotals(
            *(round(cores), busy, total, used, received, sent), mean, datagrams_per_second
        )


async def read_status(counters: Counters, pacer: Pacer, moment: Moment) -> ExporterStatus:
    """Return the exporter's status at ``moment``, which is the present one.

    Counting the hosts is long work, which the pacer divides into steps.
    """
    stats, totals = counters.read(*moment), HostTotals()
    snapshot = counters.roster.snapshot(*moment)
    await pacer.collect(lambda steps: totals.count(snapshot, steps))
    return exporter_status(stats, totals)


def exporter_status(stats: Stats, totals: HostTotals) -> ExporterStatus:
    """Return the exporter's status, of the counters and the hosts of one moment."""
    limits = stats.limits
    return ExporterStatus(
        version=__version__,
        python_version=platform.python_version(),
        started_timestamp_seconds=stats.started_wall,
        uptime_seconds=stats.now - stats.started,
        hosts=HostStates(**{str(state): totals.states[state] for state in State}),
        totals=totals.totals(stats.datagrams_per_second),
        limits=[
            _limit("hosts", limits.hosts, stats.stored_hosts),
            _limit("series_per_host", limits.series_per_host, totals.most_series, totals.fullest),
            _limit("bytes", limits.bytes, stats.stored_bytes),
            _limit("history_bytes", stats.history.limit, stats.history.used),
            _limit("families", limits.families, stats.open_families),
            Limit("datagram_bytes", MAX_DATAGRAM_BYTES, None, None, None),
        ],
        forget_after_seconds=limits.forget_after,
        udp_listen_address=stats.udp_address,
        datagrams_received=stats.datagrams_received,
        last_datagram_timestamp_seconds=stats.last_datagram_wall or None,
        datagrams_refused=dict(stats.datagrams_refused),
        refusal_remedies={
            reason: REMEDIES[reason] for reason, count in stats.datagrams_refused.items() if count
        },
        recent_refusals=[_summary(refusal, stats.wall) for refusal in stats.recent_refusals],
        receive_buffer=stats.receive_buffer,
        kernel_drops=stats.kernel_drops,
        cluster=stats.cluster,
    )


def _limit(name: str, limit: int, used: int, host: str | None = None) -> Limit:
    return Limit(name, limit, used, used / limit if limit else None, host)


def _summary(refusal: Refusal, wall: float) -> RefusalSummary:
    return RefusalSummary(
        reason=refusal.reason,
        address=refusal.address,
        count=refusal.count,
        last_timestamp_seconds=refusal.wall,
        last_age_seconds=max(0.0, wall - refusal.wall),
        detail=refusal.detail,
        datagram_start=repr(refusal.start)[2:-1],
    )
