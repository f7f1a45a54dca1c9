"""How the exporter itself fares, as the API and the page tell it."""

import platform
import time
from collections import Counter

from pombo_wire import MAX_DATAGRAM_BYTES

from pombo_exporter import __version__
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.roster import Limits, Roster
from pombo_exporter.ingest.rejections import Refused
from pombo_exporter.metrics.exporter import Telemetry
from pombo_exporter.pacing import Turns
from pombo_exporter.views.schema import ExporterStatus, HostStates, Limit, ReceiveBuffer, Refusal


class Status:
    """Reads what the other parts count."""

    def __init__(self, roster: Roster, telemetry: Telemetry, turns: Turns) -> None:
        self._roster = roster
        self._turns = turns
        self._telemetry = telemetry
        self._started = time.time()
        self._started_monotonic = time.monotonic()

    async def now(self) -> ExporterStatus:
        """Return it; the loop has its turns while hosts are counted."""
        most, fullest = 0, None
        states: Counter[State] = Counter()
        for host in self._roster.present():
            series = self._roster.series(host.sections)
            if series > most:
                most, fullest = series, host.name
            states[host.state_at(time.monotonic())] += 1
            await self._turns.give()
        roster, telemetry, intake = self._roster, self._telemetry, self._telemetry.intake
        now, wall = time.monotonic(), time.time()
        return ExporterStatus(
            version=__version__,
            python_version=platform.python_version(),
            started_timestamp_seconds=self._started,
            uptime_seconds=now - self._started_monotonic,
            hosts=HostStates(**{str(state): states[state] for state in State}),
            limits=_limits(roster.limits, len(roster.hosts), most, fullest),
            forget_after_seconds=roster.limits.forget_after,
            datagrams_received=intake.received,
            datagrams_refused=dict(intake.refused),
            recent_refusals=[_refusal(each, wall) for each in intake.recent.newest_first()],
            receive_buffer=ReceiveBuffer(
                wanted_bytes=telemetry.receive_buffer["wanted"],
                granted_bytes=telemetry.receive_buffer["granted"],
            ),
            kernel_drops=telemetry.kernel_drops(),
        )


def _limits(limits: Limits, hosts: int, most: int, fullest: str | None) -> list[Limit]:
    """Return the bounds; ``hosts`` counts those that said bye a moment ago as well."""
    share = most / limits.series_per_host
    return [
        Limit("hosts", limits.hosts, hosts, hosts / limits.hosts, None),
        Limit("series_per_host", limits.series_per_host, most, share, fullest),
        Limit("datagram_bytes", MAX_DATAGRAM_BYTES, None, None, None),
    ]


def _refusal(refused: Refused, wall: float) -> Refusal:
    return Refusal(
        reason=refused.reason,
        address=refused.address,
        count=refused.count,
        last_timestamp_seconds=refused.wall,
        last_age_seconds=max(0.0, wall - refused.wall),
        detail=refused.detail,
        datagram_start=repr(refused.start)[2:-1],
    )
