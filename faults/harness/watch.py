"""Scrapes while a fault lasts, and notes each thing that an exposition must not say."""

from http.client import HTTPException
from math import inf
from threading import Event, Thread
from time import monotonic, time
from typing import NamedTuple

from faults.harness.exporter import Exporter
from faults.harness.fleet import Fleet, Host
from faults.harness.page import Page, read

#: Seconds that a datagram may take until it shows.
_GRACE = 0.3


class _Shown(NamedTuple):
    """The newest report of a host that was on a page, and when that page was answered."""

    report: int
    at: float


class Watch(Thread):
    """Scrapes an exporter every ``every`` seconds.

    ``false_downs``, ``false_lates`` and ``forged`` have a line for each violation. ``lates`` counts
    hosts that were late on a page, rightly or not. ``took`` has the seconds of each scrape.
    """

    def __init__(self, exporter: Exporter, fleet: Fleet, every: float) -> None:
        super().__init__(name="watch", daemon=True)
        self._exporter, self._fleet, self._every = exporter, fleet, every
        self._names = {host.name for host in fleet.hosts}
        self._ended, self._strangers = Event(), False
        self._shown: dict[str, _Shown] = {}
        self._others: dict[str, float] = {}
        self.since = monotonic()  # of when datagrams count as sent to this exporter
        self.took: list[float] = []
        self.failed = 0
        self.lates = self.downs = 0
        self.false_downs: list[str] = []
        self.false_lates: list[str] = []
        self.forged: list[str] = []

    def run(self) -> None:
        """Scrape until ``close``."""
        due = monotonic()
        while not self._ended.wait(max(0.0, due - monotonic())):
            due = max(due + self._every, monotonic())
            try:
                self.page(timeout=5.0)
            except (OSError, HTTPException):
                self.failed += 1

    def add(self, name: str, interval: float) -> None:
        """Expect a host besides the fleet, which reports each ``interval`` seconds."""
        self._names.add(name)
        self._others[name] = interval

    def excuse(self) -> int:
        """Forget that hosts were shown as late or down whose datagrams did not arrive.

        Returns how often that was so.
        """
        count = len(self.false_lates) + len(self.false_downs)
        self.false_lates, self.false_downs = [], []
        return count

    def expect_strangers(self) -> None:
        """Let there be hosts that are not of the fleet, since anybody may report in plain."""
        self._strangers = True

    def lose(self) -> None:
        """Expect nothing that was sent to be shown, since the exporter ends now.

        The next one answers at the same address, maybe before it is watched.
        """
        self.since = inf

    def another(self, exporter: Exporter) -> None:
        """Watch another exporter, which has just started."""
        self._exporter, self._shown = exporter, {}
        self.since = monotonic()

    def close(self) -> None:
        """Scrape no more."""
        self._ended.set()
        if self.is_alive():
            self.join()

    def page(self, timeout: float = 15.0) -> Page:
        """Return a page, after it was checked.

        Raises:
            OSError: when the exporter does not answer.
        """
        exporter, since, shown = self._exporter, self.since, self._shown
        asked = monotonic()
        text = exporter.get(timeout=timeout)
        answered = monotonic()
        page = read(text, frozenset(self._names))
        if exporter is self._exporter:
            self.took.append(answered - asked)
            self._check(page, since, asked, answered, shown)
        return page

    def _check(
        self, page: Page, since: float, asked: float, answered: float, shown: dict[str, _Shown]
    ) -> None:
        interval = self._fleet.interval
        if not self._strangers:
            self.forged += [f"{name} is no host of the fleet" for name in sorted(page.strangers)]
        for host in self._fleet.hosts:
            up, late = page.of(host, "up"), page.of(host, "late")
            self.lates += late == 1
            self.downs += up == 0
            silence = host.silence(since, asked - _GRACE, answered)
            if up != 1 and silence is not None and silence < 3 * interval:
                self.false_downs.append(f"{host.name} is down {silence:.2f} s after its report")
            if late and silence is not None and silence < 2 * interval:
                self.false_lates.append(f"{host.name} is late {silence:.2f} s after its report")
            self._check_report(page, host, asked, answered, shown)
        for name, own_interval in self._others.items():
            reported_at = page.reported_at(name)
            if page.about.get(name, {}).get("pombo_host_up") == 0 and reported_at is not None:
                silence = time() - reported_at
                if silence < 3 * own_interval:
                    self.false_downs.append(f"{name} is down {silence:.2f} s after its report")

    def _check_report(
        self, page: Page, host: Host, asked: float, answered: float, shown: dict[str, _Shown]
    ) -> None:
        """Check which report of a host is shown; ``shown`` are those of earlier pages, by name."""
        try:
            report = page.report(host)
        except ValueError as error:
            self.forged.append(str(error))
            return
        if report is None:
            return
        before = shown.get(host.name)
        # Two threads ask: the other's page may be of a later moment.
        if before is not None and before.at < asked and report < before.report:
            self.forged.append(f"{host.name} shows report {report} after {before.report}")
        if before is None or report >= before.report:
            shown[host.name] = _Shown(report, answered)
