"""Puts the parts together: events and disks become alerts, and each receiver gets all of them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from random import random
from time import monotonic, time
from typing import Any, Final

from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.roster import HostEvent, Roster
from pombo_exporter.notify.alerts import Alert, Kind
from pombo_exporter.notify.client import Client
from pombo_exporter.notify.delivery import Courier
from pombo_exporter.notify.disks import Threshold, scan
from pombo_exporter.notify.events import Problems
from pombo_exporter.notify.flags import NotifyFlags, Targets
from pombo_exporter.notify.grouping import MOST_SINGLE, Links
from pombo_exporter.notify.heartbeat import Heartbeat
from pombo_exporter.notify.queue import Queue
from pombo_exporter.notify.targets import TargetError
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import Pacer, StepClock, rest_after
from pombo_exporter.stats import Delivery

log = logging.getLogger(__name__)

_CHECK_INTERVAL: Final = 1.0  # seconds
_FLUSH_INTERVAL: Final = 5.0  # seconds from announcements to the next ones
_SCAN_INTERVAL: Final = 15.0  # seconds between two looks at all filesystems
_AFTER_BUG: Final = 10.0  # seconds until work that failed goes on

#: The least that a queue has room for, as in Prometheus. With more hosts it has one place for each.
_LEAST_CAPACITY: Final = 10_000


#: Work that never ends.
_Work = Callable[[], Coroutine[Any, Any, None]]


class Notifier:
    """Notifications about the hosts of a roster, and heartbeats. Make it where the loop runs."""

    def __init__(  # noqa: PLR0913 - the parts that it connects
        self,
        flags: NotifyFlags,
        targets: Targets,
        roster: Roster,
        pacer: Pacer,
        *,
        where: Links,
        lives: Callable[[], bool],
        full: Threshold,
    ) -> None:
        """Take what ``flags`` read as targets.

        ``where`` links to the exporter, ``lives`` is as in ``Heartbeat``, ``full`` is from when on
        a filesystem is.
        """
        self._flags, self._roster, self._pacer = flags, roster, pacer
        self._full = full
        limits = roster.limits
        self._problems = Problems(flags.hold, limits.forget_after, limits.hosts)
        self._client = Client(time)
        capacity = max(_LEAST_CAPACITY, limits.hosts)
        self._couriers = [
            Courier(target, Queue(capacity, random), self._client, where, self._lasts)
            for target in targets.receivers
        ]
        self._heartbeats = [
            Heartbeat(target, self._client, flags.interval, lives) for target in targets.heartbeats
        ]

    def note(self, event: HostEvent, host: Host) -> None:
        """Take an event of the roster."""
        if self._couriers and self._problems.uses(event):
            self._problems.take(event, host, *moment())

    def restore(self, written: float) -> None:
        """Take the hosts of the state file, which was last written at ``written`` (Unix time)."""
        if self._couriers:
            hosts = (host for host in self._roster.listed() if host.is_restored)
            self._problems.restore(hosts, written, monotonic())

    def deliveries(self) -> Sequence[Delivery]:
        """Return what was delivered to each receiver."""
        left_out = self._problems.left_out
        found = [each.stats() for each in self._couriers]
        return [each._replace(dropped=each.dropped + left_out) for each in found]

    def heartbeats(self) -> Sequence[Delivery]:
        """Return how many heartbeats were sent to each target."""
        return [each.stats() for each in self._heartbeats]

    async def run(self) -> None:
        """Notify until cancelled."""
        works: list[_Work] = [each.run for each in self._couriers]
        if works:
            works += [self._announce, self._scan]
        works += [each.run for each in self._heartbeats]
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(_kept_up(work))

    async def finish(self, over: asyncio.Event) -> None:
        """Deliver what waits, until a request fails or ``over`` is set; then close all."""
        if self._couriers:
            tasks = [asyncio.create_task(each.finish()) for each in self._couriers]
            delivered = asyncio.create_task(asyncio.wait(tasks))
            grace = asyncio.create_task(over.wait())
            await asyncio.wait({delivered, grace}, return_when=asyncio.FIRST_COMPLETED)
            for task in (delivered, grace, *tasks):
                task.cancel()
            await asyncio.wait({delivered, grace, *tasks})
        for name, *_, queued, _ in self.deliveries():
            if queued:
                fields = {"receiver": name, "queued": queued}
                log.warning(
                    "exporter stops with notifications undelivered", extra={"fields": fields}
                )
        await self._client.close()

    def read_again(self) -> None:
        """Read the files with URLs again, and try at once to deliver what waits."""
        try:
            receivers, heartbeats = self._flags.read()
        except TargetError as error:
            fields = {"error": error}
            log.error("URL file not used: the one before counts", extra={"fields": fields})  # noqa: TRY400
            return
        for courier, target in zip(self._couriers, receivers, strict=True):
            courier.target = target
            courier.try_now()
        for heartbeat, target in zip(self._heartbeats, heartbeats, strict=True):
            heartbeat.target = target

    def _lasts(self, kind: Kind) -> bool:
        return self._problems[kind].firing_of_burst > 0

    async def _announce(self) -> None:
        """Announce what is due."""
        while True:
            due = await self._pacer.collect(partial(self._problems.due, *moment()))
            await self._pacer.collect(partial(self._hand_out, due))
            await asyncio.sleep(_FLUSH_INTERVAL if due else _CHECK_INTERVAL)

    def _hand_out(self, alerts: Sequence[Alert], steps: StepClock) -> Iterator[None]:
        """Give alerts to all receivers; those of one kind that are many are marked as a burst."""
        counts = Counter(alert.key.kind for alert in alerts if alert.is_firing)
        now = monotonic()
        for each in alerts:
            kind = each.key.kind
            is_of_burst = each.is_firing and counts[kind] > MOST_SINGLE
            alert = self._problems[kind].mark_burst(each) if is_of_burst else each
            for courier in self._couriers:
                courier.put(alert, now)
            if steps.step_is_over:
                yield

    async def _scan(self) -> None:
        """Look at the filesystems of all hosts."""
        took = 0.0
        while True:
            await asyncio.sleep(max(_SCAN_INTERVAL, rest_after(took)))
            began, wall = moment()
            with self._roster.snapshot(began, wall) as snapshot:
                work = partial(scan, snapshot, self._problems, self._full)
                await self._pacer.collect(work)
            took = monotonic() - began


async def _kept_up(work: _Work) -> None:
    """Do work that never ends. A bug in it must not end the exporter, nor other work."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("notifications failed")
            await asyncio.sleep(_AFTER_BUG)
