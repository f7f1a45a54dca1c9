"""The real Prometheus with the shipped configuration stores what hosts report."""

import json
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from support.pages import fetch, wait_until
from support.processes import ROOT, Launcher, complaints, found
from support.senders import HOSTILE_NAMES, STEADY_RATES, Sender, steady


def test_shipped_configuration_is_valid() -> None:
    command = [found("promtool"), "check", "config", str(ROOT / "prometheus.yml")]
    check = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert check.returncode == 0, check.stdout + check.stderr
    assert "SUCCESS" in check.stdout
    assert "FAILED" not in check.stdout
    assert check.stderr == ""


def test_limits_of_a_scrape_let_through_the_most_that_a_datagram_can_have(start: Launcher) -> None:
    exporter = start.exporter()
    prometheus = start.prometheus(exporter)
    name = "\U0001f54a" * 255
    longest = "\U0001f54a" * 250
    with Sender("pi", exporter.port) as sender:
        labels = ",".join(f'"l{number}":"x"' for number in range(32))
        sender.raw(f'{{"host":"many","interval":3600,"labels":{{{labels}}}}}'.encode())
        sender.raw(f'{{"host":"{name}","interval":3600}}'.encode())
        sender.raw(f'{{"host":"long","interval":3600,"labels":{{"l":"{longest}"}}}}'.encode())
        sender.raw(
            f'{{"host":"{"n" * 64}","interval":3600,"labels":{{"{"l" * 64}":"x"}}}}'.encode()
        )
    info = wait_until(
        lambda: prometheus.instant("pombo_host_info"), lambda found: len(found) == 4, "all hosts"
    )
    assert max(map(len, info)) > 32
    assert max(len(text.encode()) for labels in info for _, text in labels) == 1020
    assert [*prometheus.instant('up{job="pombo"}').values()] == [1]


def test_exposition_with_a_live_and_a_killed_agent_is_valid_in_both_formats(
    start: Launcher,
) -> None:
    exporter = start.exporter()
    start.agent("lives", exporter, flags=["--label=rack=7", '--label=owner="the" \\ team'])
    killed = start.agent("killed", exporter)
    wait_until(
        exporter.page,
        lambda exposition: all(
            exposition.value("host_cpu_average_usage_ratio", instance=name) is not None
            for name in ("lives", "killed")
        ),
        "second reports of both agents",
    )
    killed.kill()
    exposition = wait_until(
        exporter.page,
        lambda exposition: exposition.value("pombo_host_up", instance="killed") == 0,
        "the host down",
    )
    assert complaints(exposition.text) == ""
    owners = [dict(labels)["owner"] for labels in exposition.rows("pombo_host_info", rack="7")]
    assert owners == ['"the" \\ team']

    openmetrics = fetch(exporter.url, Accept="application/openmetrics-text; version=1.0.0")
    parsed = text_string_to_metric_families(openmetrics)  # type: ignore[no-untyped-call]  # has no types
    families = {family.name: family for family in parsed}
    assert families["pombo_host_datagrams_received"].type == "counter"
    memory = families["host_memory_total_bytes"].samples
    assert [sample.labels for sample in memory] == [{"instance": "lives"}]


@pytest.mark.parametrize(
    ("shown", "name", "hidden"),
    [("host", "host_cpu_average_usage_ratio", "node_"), ("node", "node_load1", " host_")],
)
def test_exposition_of_one_vocabulary_is_valid(
    shown: str, name: str, hidden: str, start: Launcher
) -> None:
    exporter = start.exporter(f"--web.families={shown}")
    start.agent("lives", exporter)
    exposition = wait_until(
        exporter.page,
        lambda exposition: exposition.value(name, instance="lives") is not None,
        "the agent's second report",
    )
    assert complaints(exposition.text) == ""
    assert hidden not in exposition.text
    curves = f"http://{exporter.target}/api/v1/hosts/lives"
    wait_until(
        lambda: json.loads(fetch(curves))["cpu_usage_ratio"] is not None,
        bool,
        "the usage on the page",
    )


def test_prometheus_stores_every_sample_under_the_name_of_its_host(start: Launcher) -> None:
    exporter = start.exporter()
    sent = 0
    for name in HOSTILE_NAMES:
        with Sender(name, exporter.port) as sender:
            for moment in (1, 2):
                sent += len(sender.report(moment, *steady(moment)))
    exposition = wait_until(
        exporter.page,
        lambda exposition: exposition.value("pombo_exporter_datagrams_received_total") == sent,
        "every datagram",
    )
    prometheus = start.prometheus(exporter)
    wait_until(
        lambda: prometheus.instant(f"scrape_samples_scraped == {len(exposition.samples)}"),
        bool,
        f"a scrape of all {len(exposition.samples)} samples",
    )

    (target,) = prometheus.targets()
    assert (target["health"], target["lastError"]) == ("up", "")
    assert target["scrapeUrl"] == exporter.url
    assert list(prometheus.instant('up{job="pombo"}').values()) == [1]
    assert prometheus.instant('{exported_instance!=""}') == {}

    hosts = {dict(labels)["instance"] for labels in prometheus.instant("pombo_host_up == 1")}
    assert hosts == set(HOSTILE_NAMES)
    for name in {name for name, _ in STEADY_RATES}:
        for labels, rate in prometheus.instant(name).items():
            own = frozenset(pair for pair in labels if pair[0] in ("cpu", "device"))
            assert rate == pytest.approx(STEADY_RATES[name, own]), (name, labels)

    # A counter's metadata has no _total in OpenMetrics, and has it in the text format.
    (metadata,) = prometheus.ask("targets/metadata", metric="pombo_host_datagrams_received")
    assert metadata["type"] == "counter"

    groups = prometheus.ask("rules")["groups"]
    assert sum(len(group["rules"]) for group in groups) > 0
    assert [
        rule["lastError"] for group in groups for rule in group["rules"] if "lastError" in rule
    ] == []
