"""The real Prometheus with each host as a target of its own, as prometheus/targets.yml has it."""

import math
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.pages import Labels, fetch, wait_until
from support.processes import ROOT, Exporter, Launcher, Prometheus, complaints, found
from support.senders import HOSTILE_NAMES, Sender, steady

CONFIG = "prometheus/targets.yml"

#: Names that are special in a path, in addition to those that are special in text.
NAMES = [
    *HOSTILE_NAMES,
    *("a/b", "/", "//lead", "trail/", "..", ".", "a/../b", "x y", "50%", "a%2Fb", "%", "%zz"),
    *("übergröße", "日本", "a?b=c#d", "a;b&c", "metrics", "x/metrics", "a\\b", "{x}", "🕊"),
]


def health(prometheus: Prometheus) -> dict[str, str]:
    """Return the health of each host's target, by the host."""
    return {
        target["labels"]["instance"]: target["health"]
        for target in prometheus.targets()
        if target["labels"]["job"] == "pombo-hosts"
    }


def up(prometheus: Prometheus, instance: str) -> list[float]:
    return [*prometheus.instant(f'up{{job="pombo-hosts",instance="{instance}"}}').values()]


def test_shipped_configuration_is_valid() -> None:
    command = [found("promtool"), "check", "config", str(ROOT / CONFIG)]
    check = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert check.returncode == 0, check.stdout + check.stderr
    assert "FAILED" not in check.stdout
    assert check.stderr == ""


@pytest.mark.slow
def test_target_of_a_host_is_up_then_down_after_a_kill_then_gone_when_it_is_forgotten(
    start: Launcher,
) -> None:
    exporter = start.exporter("--host.forget-after=6s")
    agents = {name: start.agent(name, exporter) for name in ("stays", "dies")}
    prometheus = start.prometheus(exporter, config=CONFIG)
    measured = 'host_memory_total_bytes{job="pombo",instance="dies"}'
    wait_until(lambda: health(prometheus), lambda s: [*s.values()] == ["up"] * 2, "both up")
    wait_until(lambda: prometheus.instant(measured), bool, "a sample of the host")
    assert up(prometheus, "dies") == [1]

    agents["dies"].kill()
    wait_until(lambda: up(prometheus, "dies"), lambda value: value == [0], "the native up at 0")
    errors = [t["lastError"] for t in prometheus.targets() if t["labels"]["instance"] == "dies"]
    assert ["503" in error for error in errors] == [True]
    assert prometheus.instant(measured) == {}
    known = 'pombo_host_up{job="pombo",instance="dies"}'
    wait_until(
        lambda: [*prometheus.instant(known).values()], lambda value: value == [0], "pombo_host_up"
    )

    wait_until(
        lambda: health(prometheus), lambda s: s == {"stays": "up"}, "its target to be removed"
    )
    wait_until(lambda: up(prometheus, "dies"), lambda value: value == [], "its up to be stale")
    assert up(prometheus, "stays") == [1]
    assert [*prometheus.instant('up{job="pombo"}').values()] == [1]


def test_hosts_of_any_name_are_targets_each_with_its_own_values(start: Launcher) -> None:
    exporter = start.exporter()
    for number, name in enumerate(NAMES):
        with Sender(name, exporter.port) as sender:
            sender.report(1.0, ("gauges", {"which": float(number)}))
    prometheus = start.prometheus(exporter, config=CONFIG)
    wait_until(
        lambda: health(prometheus),
        lambda seen: seen == dict.fromkeys(NAMES, "up"),
        "every target up",
        within=30,
    )
    wanted = {frozenset({("job", "pombo"), ("instance", name)}): n for n, name in enumerate(NAMES)}

    def which() -> dict[Labels, float]:
        return {
            labels - {("__name__", "which")}: v for labels, v in prometheus.instant("which").items()
        }

    wait_until(which, lambda seen: seen == wanted, "each host's own value under its own name")


def test_exposition_of_one_host_is_valid(start: Launcher) -> None:
    exporter = start.exporter()
    start.agent("a/b", exporter, flags=['--label=owner="the" \\ team'])
    url = exporter.url.replace("/metrics", "/hosts/a%2Fb/metrics")
    exposition = wait_until(
        lambda: fetch(url),
        lambda exposition: "host_cpu_average_usage_ratio" in exposition,
        "a second report",
    )
    assert complaints(exposition) == ""


# --- the same results with one target and with a target for each host ---


class Both:
    """Two Prometheus servers that scrape one exporter: as one target, and as one for each host."""

    def __init__(self, one: Prometheus, each: Prometheus) -> None:
        self.one, self.each = one, each
        self.moment = 0.0

    def results(self, expression: str) -> list[dict[Labels, float]]:
        """Return the result of both servers for the same moment."""
        found = []
        for prometheus in (self.one, self.each):
            result = prometheus.ask("query", query=expression, time=self.moment)["result"]
            found.append({frozenset(r["metric"].items()): float(r["value"][1]) for r in result})
        return found


#: Recorded by one rule and read by another.
RECORDED = "instance:pombo_host_last_report_timestamp_seconds:down"

#: Counters of the exporter, of what it counts for each host, and of the hosts: a rate needs two
#: samples of each series.
RATED = (
    "pombo_exporter_datagrams_refused_total",
    "pombo_host_datagrams_lost_total",
    "node_network_receive_bytes_total",
)


@pytest.fixture(scope="module")
def both(start_once: Launcher) -> Both:
    exporter: Exporter = start_once.exporter("--host.forget-after=1h")
    for name in ("a", "b/c", "ü %"):
        with Sender(name, exporter.port) as sender:
            for moment in (1, 2, 4):
                sender.report(moment, *steady(moment), ("labels", {"rack": "7"}))
    with Sender("gone", exporter.port, interval=1.0) as sender:
        sender.report(1, *steady(1))
    found = Both(start_once.prometheus(exporter), start_once.prometheus(exporter, config=CONFIG))
    awaited = (
        'count(pombo_host_up == 1) == 3 and count(pombo_host_up{instance="gone"} == 0) == 1',
        RECORDED,
        *(f"count(rate({name}[10s])) == count({name})" for name in RATED),
    )
    for prometheus in (found.one, found.each):
        for expression in awaited:
            query = partial(prometheus.instant, expression)
            wait_until(query, bool, expression, within=30)
    found.moment = time.time()
    return found


def rules() -> list[Any]:
    """Return every rule's expression, with its name."""
    found = []
    for path in sorted(Path(ROOT, "prometheus/rules").glob("*.yml")):
        for group in YAML(typ="safe").load(path)["groups"]:
            for rule in group["rules"]:
                name = rule.get("alert") or rule["record"]
                found.append(pytest.param(rule["expr"], id=name))
    return found


#: Queries of the dashboards, without their variables.
QUERIES = [
    "2 * (1 - pombo_host_up) + pombo_host_late",
    "pombo_host_info",
    "pombo_host_last_report_timestamp_seconds",
    "pombo_host_interval_seconds",
    "pombo_host_datagrams_received_total",
    "host_cpu_usage_ratio",
    "host_cpu_average_usage_ratio",
    "1 - host_memory_available_bytes / host_memory_total_bytes",
    "topk(3, sum by (instance) (host_network_receive_bytes_per_second))",
    "sum without (device) (host_disk_read_bytes_per_second)",
    "rate(node_network_receive_bytes_total[10s])",
    "sum by (state) (pombo_exporter_hosts)",
    "pombo_exporter_limits",
    "pombo_exporter_build_info",
    "count by (job, instance) ({__name__=~'(container|host|node)_.+'})",
    "sum(increase(pombo_host_datagrams_lost_total[10s]))",
]


@pytest.mark.slow
@pytest.mark.parametrize("expression", [*QUERIES, *rules()])
def test_dashboards_and_rules_have_the_same_results_with_both(both: Both, expression: str) -> None:
    one, each = both.results(expression)
    assert {*one} == {*each}
    for labels, value in one.items():
        other = each[labels]
        assert math.isclose(value, other, rel_tol=1e-6) or (math.isnan(value) and math.isnan(other))


@pytest.mark.slow
@pytest.mark.parametrize("expression", QUERIES[:-1])
def test_compared_query_has_a_result(both: Both, expression: str) -> None:
    empty = {"1 - host_memory_available_bytes / host_memory_total_bytes"}
    assert expression in empty or both.results(expression)[0]


def test_exporter_is_not_down_because_a_host_is(both: Both) -> None:
    assert [*both.results('up{job="pombo"}')[1].values()] == [1]
    down = both.results('up{job="pombo-hosts"} == 0')[1]
    assert [dict(labels)["instance"] for labels in down] == ["gone"]
