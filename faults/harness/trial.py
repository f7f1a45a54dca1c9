"""One case: an exporter, a fleet that reports to it, and the rules that hold after the fault."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from pombo_agent.transport.crypto import CRYPTO
from pombo_cli.addresses import Address
from pombo_exporter.seal.key_file import read_key_file
from support.pages import wait_until
from support.processes import Process

from faults.harness.exporter import LIMIT_BYTES, REQUESTS_BYTES, Exporter
from faults.harness.fleet import PLACES, Fleet, Host, fleet
from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.page import Page
from faults.harness.settings import Settings
from faults.harness.watch import Watch

#: Seconds for a busy machine besides what the product promises.
_SLACK = 1.0
_MIB = 2**20
_LINES, _LINE = 12, 300  # of the log that are shown, and characters of each


class Trial:
    """Starts an exporter and a fleet, and ends them.

    ``flags`` are those of the exporter besides the ones of docs/secure.md, ``state`` its state
    file, ``options`` the other arguments of ``Exporter``. ``interval`` and ``every`` are seconds
    between two reports of a host, and between two scrapes.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        settings: Settings,
        *flags: str,
        hosts: int | None = None,
        interval: float | None = None,
        every: float = 1.0,
        state: Path | None = None,
        require_sealed: bool = True,
        **options: Any,
    ) -> None:
        self.settings = settings
        self._stack = ExitStack()
        folder = tempfile.TemporaryDirectory(prefix="pombo-faults-")
        self.folder = Path(self._stack.enter_context(folder))
        required = ["--require-sealed"] if require_sealed else []
        self._flags = (f"--state.file={state or self.folder / 'state'}", *required, *flags)
        self._options = options
        self._processes: list[Process] = []
        self.exporter = self._start()
        for _ in range(3):  # what serving takes once
            self.exporter.get()
        self._idle = self.exporter.resident_bytes
        self._most, self.totals = 0, ""
        keys = read_key_file(self.exporter.keys, CRYPTO)
        self.key = keys.first
        server = Address(options.get("udp", "127.0.0.1"), self.exporter.port)
        count, seconds = hosts or settings.hosts, interval or settings.interval
        self.fleet: Fleet = fleet(self.key, count, seconds, server)
        self.watch = Watch(self.exporter, self.fleet, every)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.watch.close()
        self.fleet.close()
        for process in reversed(self._processes):
            if process.runs:
                process.kill() if error else process.end()
        log = self.exporter.log
        self._stack.close()
        if error is not None:
            error.add_note(f"the exporter's log:\n{_end(log)}")
        elif "Traceback" in log:
            raise BrokenRuleError(f"the exporter logged an unexpected error:\n{_end(log)}")

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts of the fleet."""
        return self.fleet.hosts

    def begin(self) -> None:
        """Let the fleet report, and watch; return when all hosts are live and proven."""
        self.begin_at_once()
        wait_until(self._page, self._all_live, "the fleet", within=3 * self.fleet.interval + 10)
        # The second report of each host shows the challenge.
        seen = [host.reports for host in self.hosts]
        wait_until(
            lambda: [host.reports for host in self.hosts],
            lambda now: all(a > b + 1 for a, b in zip(now, seen, strict=True)),
            "two reports of each host",
            within=4 * self.fleet.interval + 10,
        )

    def begin_at_once(self) -> None:
        """Let the fleet report, and watch."""
        self.fleet.start()
        self.watch.start()

    def kept(self, process: Process) -> Process:
        """Return a process that ends with the case."""
        self._processes.append(process)
        return process

    def restart(self) -> float:
        """Start the exporter again where it was; return the seconds until it serves."""
        began = monotonic()
        self.exporter = self._start(self.exporter.port)
        self.watch.another(self.exporter)
        return monotonic() - began

    def kill(self) -> None:
        """End the exporter by SIGKILL."""
        self._most = max(self._most, self._peak())
        self.watch.lose()
        self.exporter.kill()

    def end(self) -> None:
        """End the exporter by SIGTERM.

        Raises:
            BrokenRuleError: when it does not exit with 0.
        """
        self._most = max(self._most, self._peak())
        self.watch.lose()
        if code := self.exporter.end():
            raise BrokenRuleError(f"the exporter exited with {code}")

    def live_again(self, began: float) -> str:
        """Wait until all hosts are live, and return how long that took.

        It may take two intervals from ``began``, on the monotonic clock.
        """
        allowed = 2 * self.fleet.interval
        within = began + allowed + _SLACK - monotonic()
        moment, _ = wait_until(
            lambda: (monotonic(), self._page()),
            lambda found: self._all_live(found[1]),
            "all hosts live",
            within=within,
            every=0.02,
        )
        took = moment - began
        return f"{len(self.hosts)} of {len(self.hosts)} after {took:.1f} s (at most {allowed:g} s)"

    def freeze(self) -> str:
        """Let no host report any more, and compare the totals at once; return how many are right.

        Soon the hosts are down, and have no totals.
        """
        self.fleet.pause()
        wanted = len(self.hosts) * len(PLACES)

        def equal(page: Page) -> bool:
            return page.equal_totals(self.hosts) == wanted

        within = 2 * self.fleet.interval
        page = wait_until(self._page, equal, "the totals of the last reports", within=within)
        self.totals = f"{page.equal_totals(self.hosts):,} of {wanted:,}"
        return self.totals

    def outcome(  # noqa: PLR0913 - what differs between cases
        self,
        done: str,
        live: str,
        *,
        refused: str = "",
        expected: Mapping[str, int] | None = None,
        may_be_late: bool = True,
        unread_bytes: int = 0,
    ) -> Outcome:
        """Stop the fleet, compare everything, and return the row.

        ``expected`` is what must have been refused by reason, unless ``refused`` says what was.
        ``unread_bytes`` are what answers that nobody reads may take of the memory.

        Raises:
            BrokenRuleError: when something does not hold.
        """
        totals = self.totals or self.freeze()
        for thread in (self.fleet, self.watch):
            if not thread.is_alive():
                raise BrokenRuleError(f"the thread {thread.name} has ended")
        self.watch.close()
        page = self._page()
        watch = self.watch
        if watch.failed and not may_be_late:
            raise BrokenRuleError(f"{watch.failed} scrapes have failed")
        for lines in (watch.false_downs, watch.forged, watch.false_lates):
            if lines:
                raise BrokenRuleError(f"{len(lines)} violations: {lines[:5]}")
        if not may_be_late and watch.lates:
            raise BrokenRuleError(f"{watch.lates} times a host was late")
        if not refused:
            wanted = {name: count for name, count in (expected or {}).items() if count}
            if page.refused != wanted:
                raise BrokenRuleError(f"refused {page.refused} and not {wanted}")
            refused = _shown(page.refused) if wanted else "0"
        pages = f"in {len(watch.took):,} scrapes"
        return Outcome(
            done=done,
            live=live,
            totals=totals,
            states=f"0, 0, 0 {pages}",
            refused=refused,
            memory=self._memory(unread_bytes),
        )

    def _memory(self, unread_bytes: int) -> str:
        most = max(self._most, self._peak())
        bound = self._idle + 2 * LIMIT_BYTES + REQUESTS_BYTES + unread_bytes
        if most > bound:
            raise BrokenRuleError(f"{most / _MIB:.1f} MiB of {bound / _MIB:.1f}")
        return f"{most / _MIB:.1f} MiB of {bound / _MIB:.1f}"

    def _peak(self) -> int:
        return self.exporter.most_resident_bytes if self.exporter.runs else 0

    def _page(self) -> Page:
        return self.watch.page()

    def _all_live(self, page: Page) -> bool:
        return all(page.is_live(host) for host in self.hosts)

    def _start(self, port: int | None = None) -> Exporter:
        exporter = Exporter(self.folder, *self._flags, port=port, **self._options)
        self._processes.append(exporter)
        try:
            exporter.wait()
        except AssertionError:
            exporter.kill()
            raise
        return exporter


def _end(log: str) -> str:
    """Return the last lines of a log, each cut."""
    return "\n".join(line[:_LINE] for line in log.splitlines()[-_LINES:])


def _shown(refused: Mapping[str, int]) -> str:
    """Return counts by reason as text."""
    return ", ".join(f"{count:,} `{reason}`" for reason, count in sorted(refused.items()))
