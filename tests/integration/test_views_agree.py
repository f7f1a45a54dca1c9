"""One agent is killed: the API, the exposition, top and Prometheus show it late, then down."""

import json
import re
from functools import partial
from urllib.parse import quote

from support.pages import fetch, wait_until
from support.processes import Exporter, Launcher
from support.terminals import top

NAME = "rack 7/dies"
INTERVAL = 3.0  # seconds


def state(exporter: Exporter) -> str:
    """Return the host's state in the API: in the detail, and in the list if it differs."""
    hosts = f"http://{exporter.target}/api/v1/hosts"
    one: str = json.loads(fetch(f"{hosts}/{quote(NAME, safe='')}"))["state"]
    listed = {host["name"]: host["state"] for host in json.loads(fetch(hosts))["hosts"]}
    return one if listed[NAME] == one else f"{one}, and {listed[NAME]} in the list"


def row(screen: str, name: str) -> str | None:
    """Return the state of a host in the table of ``top``, which follows its name and severity."""
    found = re.search(rf"^{re.escape(name)} +\w+ +(\w+)", screen, re.MULTILINE)
    return found and found[1]


def test_killed_agent_is_late_then_down_in_all_views_within_an_interval(start: Launcher) -> None:
    exporter = start.exporter()
    start.agent("stays", exporter)
    agent = start.agent(NAME, exporter, interval=f"{INTERVAL:g}s")
    prometheus = start.prometheus(exporter, config="prometheus/targets.yml")
    up = partial(prometheus.instant, f'up{{job="pombo-hosts",instance="{NAME}"}}')

    def flags() -> tuple[float | None, float | None]:
        exposition = exporter.page()
        return tuple(
            exposition.value(f"pombo_host_{what}", instance=NAME) for what in ("up", "late")
        )  # type: ignore[return-value]

    with top(exporter) as terminal:
        wait_until(lambda: [*up().values()], lambda seen: seen == [1], "up at 1")
        wait_until(terminal.screen, lambda seen: row(seen, NAME) == "live", "live in top")
        agent.kill()

        wait_until(partial(state, exporter), lambda seen: seen == "late", "late in the API")
        wait_until(flags, lambda seen: seen == (1, 1), "late in the exposition", INTERVAL)
        wait_until(terminal.screen, lambda seen: row(seen, NAME) == "late", "late in top", INTERVAL)
        assert [*up().values()] == [1]

        wait_until(partial(state, exporter), lambda seen: seen == "down", "down in the API")
        wait_until(terminal.screen, lambda seen: row(seen, NAME) == "down", "down in top", INTERVAL)
        wait_until(flags, lambda seen: seen == (0, 0), "down in the exposition", INTERVAL)
        wait_until(lambda: [*up().values()], lambda seen: seen == [0], "up at 0", INTERVAL)
        assert prometheus.instant(f'host_memory_total_bytes{{instance="{NAME}"}}') == {}
        assert row(terminal.screen(), "stays") == "live"
