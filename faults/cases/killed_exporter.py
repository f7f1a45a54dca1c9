"""The exporter is killed again and again while hosts report, and starts again."""

import random
from statistics import median
from time import monotonic, sleep

from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.settings import Settings
from faults.harness.trial import Trial

_LONGEST = 0.35  # of the seconds of a fault: longer than until the state file is written


def killed_exporter(settings: Settings) -> Outcome:
    """Kill the exporter by SIGKILL at random moments, and start it with the same state file."""
    rng = random.Random(5005)
    with Trial(settings, interval=1.0, every=0.5) as trial:
        trial.begin()
        starts = []
        for _ in range(settings.kills):
            sleep(rng.uniform(0.1, _LONGEST * settings.seconds))
            if refused := trial.watch.page().refused:
                raise BrokenRuleError(f"reports of honest hosts were refused: {refused}")
            trial.kill()
            starts.append(trial.restart())
        live = trial.live_again(monotonic())
        outcome = trial.outcome(
            f"{settings.kills} times SIGKILL while {len(trial.hosts)} hosts reported each "
            f"{trial.fleet.interval:g} s, at random moments",
            live,
        )
        errors = trial.exporter.log.count("state file not used")
        if errors:
            raise BrokenRuleError("a state file was broken")
        outcome.found.append(f"it served again after {median(starts):.1f} s")
        outcome.found.append("the state file was whole each time")
        return outcome
