"""The dashboards and the rules on a real Prometheus: how long it takes for each query."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from support.dashboards import RANGE, Viewer
from support.processes import Prometheus, Times, free_port

from bench.cases.under_load import Load, reports_of
from bench.harness import processes
from bench.harness.fleet import INTERVAL
from bench.harness.prepared import prepared
from bench.harness.settings import Settings
from bench.report.results import Row

_HOSTS, _FEW = 1_000, 100
_BOARDS = ("fleet", "host", "exporter")


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this case."""
    hosts = _HOSTS if settings.full else _FEW
    interval = f"{INTERVAL:.0f}s"
    with ExitStack() as stack:
        fleet = stack.enter_context(prepared(settings.fleet, hosts, reports_of(RANGE)))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pombo-bench-")))
        _, port = stack.enter_context(processes.exporter())
        load = Load(fleet, hosts)
        load.warm(port)
        target = f"127.0.0.1:{port}"
        prometheus = Prometheus(folder, free_port(), target, "prometheus.yml", Times(interval))
        stack.callback(prometheus.end)
        with load.send(port) as sending:
            sending.result()
        [moment] = prometheus.instant('timestamp(up{job="pombo"})').values()
        for name in _BOARDS:
            yield _board(Viewer(prometheus, moment, name, {}), name, hosts)
        yield _rules(prometheus, hosts)


def _board(viewer: Viewer, name: str, hosts: int) -> Row:
    took = {}
    for panel in viewer.panels():
        for target in panel["targets"]:
            began = monotonic()
            viewer.rows(panel, target)
            took[panel["title"], target["refId"]] = monotonic() - began
    (slowest, _), longest = max(took.items(), key=lambda item: item[1])
    return Row(
        f"all queries of the dashboard {name}, {hosts:,} hosts, {RANGE // 60} minutes",
        f"{sum(took.values()):.2f} s for {len(took)} queries, one after the other",
        f"the slowest takes {longest:.2f} s: a query of *{slowest}*",
    )


def _rules(prometheus: Prometheus, hosts: int) -> Row:
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    took = {rule["name"]: float(rule["evaluationTime"]) for rule in rules}
    slowest = max(took, key=lambda name: took[name])
    return Row(
        f"all alerting and recording rules once, {hosts:,} hosts",
        f"{sum(took.values()) * 1e3:,.0f} ms for {len(rules)} rules",
        f"the slowest takes {took[slowest] * 1e3:,.0f} ms: {slowest}",
    )
