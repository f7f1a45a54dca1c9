"""How the exporter itself fares, as the API and the page tell it."""

import platform
import time
from collections import Counter

from pombo_exporter import __version__, views
from pombo_exporter.host import State
from pombo_exporter.roster import Roster
from pombo_exporter.telemetry import Telemetry
from pombo_exporter.turns import Turns


class Status:
    """Reads what the other parts count."""

    def __init__(self, roster: Roster, telemetry: Telemetry, turns: Turns) -> None:
        self._roster = roster
        self._turns = turns
        self._telemetry = telemetry
        self._started = time.time()
        self._started_monotonic = time.monotonic()

    async def now(self) -> views.ExporterStatus:
        """Return it; the loop has its turns while the fullest host is looked for."""
        fullest = views.Fullest()
        states: Counter[State] = Counter()
        for host in self._roster.present():
            fullest.add(host, self._roster.series(host.sections))
            states[host.state_at(time.monotonic())] += 1
            await self._turns.give()
        return self._status(fullest, states)

    def _status(self, fullest: views.Fullest, states: Counter[State]) -> views.ExporterStatus:
        roster, telemetry, intake = self._roster, self._telemetry, self._telemetry.intake
        now, wall = time.monotonic(), time.time()
        return views.ExporterStatus(
            version=__version__,
            python_version=platform.python_version(),
            started_timestamp_seconds=self._started,
            uptime_seconds=now - self._started_monotonic,
            hosts=views.host_states(states),
            limits=views.limits_in_use(roster.limits, len(roster.hosts), fullest),
            forget_after_seconds=roster.limits.forget_after,
            datagrams_received=intake.received,
            datagrams_refused=dict(intake.refused),
            recent_refusals=[
                views.refusal(refused, wall) for refused in intake.recent.newest_first()
            ],
            receive_buffer=views.ReceiveBuffer(
                wanted_bytes=telemetry.receive_buffer["wanted"],
                granted_bytes=telemetry.receive_buffer["granted"],
            ),
            kernel_drops=telemetry.kernel_drops(),
        )
