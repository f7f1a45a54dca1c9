"""Agents are killed, and start again at once: another session, while the name is still held."""

from time import monotonic, sleep

from support.pages import wait_until

from faults.harness.agents import Agent
from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.page import Page
from faults.harness.settings import Settings
from faults.harness.trial import Trial

_AGENTS = 4
_START = 3.0  # seconds that an agent may take until its first report

#: What the exporter may refuse: the name is held, or the new session has not shown the challenge.
_REASONS = {"conflict", "unproven"}


def killed_agents(settings: Settings) -> Outcome:
    """Kill real agents by SIGKILL, each some times, beside a fleet that goes on."""
    with Trial(settings, hosts=min(100, settings.hosts), interval=1.0, every=0.3) as trial:
        agents = [Agent(trial, number) for number in range(_AGENTS)]

        def all_live(page: Page) -> bool:
            return all(page.is_live_named(agent.name) for agent in agents)

        trial.begin()
        wait_until(trial.watch.page, all_live, "the agents")
        took = []
        for _ in range(max(1, settings.kills // _AGENTS)):
            sleep(2 * trial.fleet.interval)
            for agent in agents:
                agent.process.kill()
            known = {agent.name: trial.watch.page().reported_at(agent.name) for agent in agents}
            began = monotonic()
            for agent in agents:
                agent.start()

            def are_back(page: Page, known: dict[str, float | None] = known) -> bool:
                return all_live(page) and all(
                    page.reported_at(name) != last for name, last in known.items()
                )

            within = _START + 2 * trial.fleet.interval + 1
            wait_until(trial.watch.page, are_back, "the agents that were killed", within=within)
            took.append(monotonic() - began)
        text = trial.exporter.get()
        missing = [agent.name for agent in agents if text.count(agent.line()) != 1]
        if missing:
            raise BrokenRuleError(f"the totals of {missing} are not on the page")
        page = trial.watch.page()
        if page.refused.keys() - _REASONS:
            raise BrokenRuleError(f"refused: {page.refused}")
        kills = len(took) * _AGENTS
        return trial.outcome(
            f"{kills} times SIGKILL of one of {_AGENTS} real agents, each 1 s, started at once",
            f"each {max(took):.1f} s after it was started, at most",
            refused=", ".join(f"{count} `{name}`" for name, count in page.refused.items()) or "0",
        )
