"""Clocks that are a day wrong: those of hosts, and that of the exporter, which is set meanwhile."""

import struct
import tempfile
from functools import partial
from pathlib import Path
from time import monotonic, sleep

from support.pages import wait_until

from faults.harness.fleet import Host
from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.page import Page
from faults.harness.settings import Settings
from faults.harness.trial import Trial

_DAY = 86_400.0  # seconds
_FOLDER = Path(__file__).parents[1] / "clock"

#: What the exporter may refuse of an agent that has started again.
_REASONS = {"conflict", "unproven"}


def clocks(settings: Settings) -> Outcome:
    """Set the clocks of hosts and of the exporter a day ahead and back, and restart some."""
    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        _set(path, 0.0)
        env = {"FAULTS_CLOCK": file.name, "PYTHONPATH": str(_FOLDER)}
        with Trial(settings, interval=1.0, env=env) as trial:
            trial.begin()
            part = settings.seconds / 4
            for number, host in enumerate(trial.hosts):
                trial.fleet.change(partial(_ahead, value=_DAY * (number % 3 - 1)), [host])
            sleep(part)
            _seen(trial, {-_DAY, 0.0, _DAY})
            for ahead in (_DAY, -_DAY):
                _set(path, ahead)
                sleep(part)
                _seen(trial, {-_DAY - ahead, -ahead, _DAY - ahead})
                # Agents that start again with the clock that they have: a third of them a day ago.
                again = trial.hosts[:: max(1, len(trial.hosts) // 30)]
                trial.fleet.change(Host.start, again)
                sleep(part)
            trial.kill()
            trial.restart()
            # Agents that are not in the state file have to show the challenge first.
            trial.watch.since += 2 * trial.fleet.interval
            live = trial.live_again(monotonic())
            _set(path, 0.0)
            trial.fleet.change(partial(_ahead, value=0.0))
            sleep(part)
            page = trial.watch.page()
            if page.refused.keys() - _REASONS:
                raise BrokenRuleError(f"refused: {page.refused}")
            return trial.outcome(
                "a third of the hosts a day ahead, a third a day behind; the exporter's clock set "
                f"a day ahead, two days back and right again; {2 * len(again)} agents and the "
                "exporter killed and started meanwhile",
                live,
                refused=", ".join(f"{n} `{name}`" for name, n in page.refused.items()) or "0",
            )


def _ahead(host: Host, *, value: float) -> None:
    host.ahead = value


def _set(path: Path, ahead: float) -> None:
    """Set the exporter's clock."""
    with path.open("r+b") as file:
        file.write(struct.pack("d", ahead))


def _seen(trial: Trial, expected: set[float]) -> None:
    """Check that the exporter shows how wrong the clocks are, so that they are wrong indeed."""

    def offsets(page: Page) -> set[float]:
        found = (page.of(host, "clock_offset_seconds") or 0.0 for host in trial.hosts)
        return {round(each / _DAY) * _DAY for each in found}

    wait_until(
        trial.watch.page,
        lambda page: offsets(page) == expected,
        f"the clocks to be {expected} ahead",
        within=2 * trial.fleet.interval + 1,
    )
