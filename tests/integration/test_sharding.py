"""The relabelling in docs/targets.md, unchanged: two servers share the hosts by hashmod."""

import re
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.pages import wait_until
from support.processes import ROOT, Exporter, Launcher, Prometheus
from support.senders import Sender

_YAML = YAML(typ="safe")
_CONFIG = ROOT / "prometheus/targets.yml"
HOSTS = {f"rack {number}/übung": str(number % 3) for number in range(12)}


def relabelling(action: str) -> list[Any]:
    """Return the relabelling of the document that begins with this action."""
    text = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
    blocks = [_YAML.load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    [block] = [block for block in blocks if block[0].get("action") == action]
    return [*block]


def configuration(path: Path, *rules: Any) -> str:
    """Write the shipped configuration with more relabelling of the hosts; return its path."""
    config = _YAML.load(_CONFIG)
    [job] = [job for job in config["scrape_configs"] if job["job_name"] == "pombo-hosts"]
    job["relabel_configs"] += rules
    written = StringIO()
    _YAML.dump(config, written)
    path.write_text(written.getvalue(), encoding="utf-8")
    return str(path)


def of_shard(number: int) -> list[Any]:
    """Return the document's sharding for one of its two servers."""
    rules = relabelling("hashmod")
    assert [rule["modulus"] for rule in rules if "modulus" in rule] == [2]
    assert rules[-1]["regex"] == "0"
    return [*rules[:-1], {**rules[-1], "regex": str(number)}]


def racks(prometheus: Prometheus, metric: str) -> dict[str, str]:
    """Return the label ``rack`` of each host's series of this name."""
    found = [dict(labels) for labels in prometheus.instant(f"{metric}{{rack!=''}}")]
    return {labels["instance"]: labels["rack"] for labels in found}


def reporting(start: Launcher) -> Exporter:
    """Return an exporter that has a report of every host."""
    exporter = start.exporter()
    for name, rack in HOSTS.items():
        with Sender(name, exporter.port) as sender:
            sender.report(1.0, ("labels", {"rack": rack}), ("gauges", {"which": 1.0}))
    wait_until(
        exporter.page,
        lambda exposition: len(exposition.rows("pombo_host_up")) == len(HOSTS),
        "all hosts",
    )
    return exporter


@pytest.mark.slow
def test_two_servers_share_the_hosts_and_the_owners_labels_are_on_all_series(
    start: Launcher, tmp_path: Path
) -> None:
    exporter = reporting(start)
    shards = [
        start.prometheus(
            exporter,
            config=configuration(
                tmp_path / f"{number}.yml", *of_shard(number), *relabelling("labelmap")
            ),
        )
        for number in (0, 1)
    ]
    for metric in ("up", "which"):
        seen = wait_until(
            lambda metric=metric: [racks(shard, metric) for shard in shards],  # type: ignore[misc]
            lambda seen: sum(map(len, seen)) >= len(HOSTS),
            f"{metric} of all hosts",
            within=30,
        )
        assert all(seen)
        assert seen[0].keys() & seen[1].keys() == set()
        assert seen[0] | seen[1] == HOSTS
    for shard in shards:
        wait_until(
            partial(shard.instant, 'up{job="pombo"}'),
            lambda up: [*up.values()] == [1],
            "the exporter's own target",
        )


@pytest.mark.slow
def test_a_server_for_one_rack_has_only_the_hosts_of_that_rack(
    start: Launcher, tmp_path: Path
) -> None:
    exporter = reporting(start)
    [rule] = relabelling("keep")
    prometheus = start.prometheus(exporter, config=configuration(tmp_path / "rack.yml", rule))
    wanted = rule["regex"]
    with Sender("of that rack", exporter.port) as sender:
        sender.report(1.0, ("labels", {"rack": wanted}), ("gauges", {"which": 1.0}))
    wait_until(lambda: prometheus.instant("which"), bool, "the one host", within=30)
    hosts = {dict(labels)["instance"] for labels in prometheus.instant('up{job="pombo-hosts"}')}
    assert hosts == {"of that rack"}
