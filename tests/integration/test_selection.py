"""Families of some collectors: with the real agent, Prometheus and node_exporter."""

import re
import urllib.error
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from ruamel.yaml import YAML
from support.pages import Page, fetch, fetch_page, wait_until
from support.processes import ROOT, Exporter, Launcher, found, free_port

_YAML = YAML(typ="safe")

#: Families about node_exporter and the exporter themselves.
_OWN = re.compile("(go|process|promhttp|python|pombo)_|node_exporter_")

SELECTIONS = (
    {"collect[]": ["cpu"]},
    {"collect[]": ["loadavg", "meminfo", "netdev", "stat"]},
    # Newer versions of node_exporter, and so Pombo, have more of netstat.
    {"collect[]": ["diskstats", "filefd", "time", "uname", "vmstat", "sockstat"]},
    {"collect[]": ["cpuu"]},
    {"collect[]": ["cpu", "nonsense"]},
    {"collect[]": [""]},
)


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    """An exporter to which an agent of this machine reports."""
    exporter = start_once.exporter()
    start_once.agent("here", exporter)
    wait_until(
        exporter.page,
        lambda page: page.value("host_cpu_average_usage_ratio", instance="here") is not None,
        "the second report",
    )
    return exporter


@pytest.fixture(scope="module")
def theirs(start_once: Launcher) -> str:
    """The address of a node_exporter on this machine."""
    where = f"127.0.0.1:{free_port()}"
    start_once.program(found("prometheus-node-exporter"), f"--web.listen-address={where}")
    wait_until(lambda: fetch_page(f"http://{where}/metrics"), bool, "node_exporter")
    return f"http://{where}/metrics"


def answer(url: str, query: dict[str, list[str]]) -> tuple[int, str, Page | None]:
    """Return the status, the text and, if it is one, the exposition."""
    asked = f"{url}?{urlencode(query, doseq=True)}"
    try:
        page = fetch_page(asked)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), None
    return 200, page.text, page


def measured(page: Page, prefix: str) -> set[str]:
    return {name for name, _ in page.samples if name.startswith(prefix) and not _OWN.match(name)}


@pytest.mark.parametrize("query", SELECTIONS)
def test_selection_is_answered_as_node_exporter_answers(
    query: dict[str, list[str]], exporter: Exporter, theirs: str
) -> None:
    status, text, ours = answer(exporter.url, query)
    their_status, their_text, wanted = answer(theirs, query)
    assert status == their_status
    if ours is None or wanted is None:
        reason = re.search("missing collector: .*", their_text)
        assert reason
        assert text.startswith(reason[0].strip())
        return
    shown, expected = measured(ours, "node_"), measured(wanted, "node_")
    assert shown == expected
    scraped = "node_scrape_collector_success"
    assert {dict(labels)["collector"] for labels in ours.rows(scraped)} == {*query["collect[]"]}
    assert {dict(labels)["collector"] for labels in wanted.rows(scraped)} == {*query["collect[]"]}
    # Of themselves both show everything.
    assert ours.value("pombo_exporter_hosts", state="live") == 1
    assert ours.value("pombo_host_up", instance="here") == 1
    assert wanted.names() >= {"go_goroutines", "process_open_fds", "node_exporter_build_info"}


def test_selections_of_all_collectors_make_up_the_whole_exposition(exporter: Exporter) -> None:
    whole = exporter.page()
    collectors = {
        dict(labels)["collector"] for labels in whole.rows("node_scrape_collector_success")
    }
    shown: set[tuple[str, Any]] = set()
    for name in sorted(collectors):
        _, _, page = answer(exporter.url, {"collect[]": [name]})
        assert page is not None
        samples = {
            key
            for key in page.samples
            if key[0].startswith(("node_", "host_")) and key not in shown
        }
        assert not samples & shown
        shown |= samples
    wanted = {key for key in whole.samples if key[0].startswith(("node_", "host_"))}
    assert shown == wanted


def documented() -> Any:
    """Return the job in the document."""
    text = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
    blocks = [_YAML.load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    [[job]] = [block for block in blocks if "params" in block[0]]
    return job


def test_prometheus_with_the_documented_parameters_stores_the_selected_families(
    start: Launcher, tmp_path: Path
) -> None:
    exporter = start.exporter()
    start.agent("here", exporter, flags=["--label=rack=7"])
    config = _YAML.load(ROOT / "prometheus.yml")
    [job] = [job for job in config["scrape_configs"] if job["job_name"] == "pombo"]
    job["params"] = documented()["params"]
    written = StringIO()
    _YAML.dump(config, written)
    path = tmp_path / "selecting.yml"
    path.write_text(written.getvalue(), encoding="utf-8")
    prometheus = start.prometheus(exporter, config=str(path))
    wait_until(
        lambda: prometheus.instant('host_cpu_average_usage_ratio{instance="here"}'),
        bool,
        "the second report",
    )
    found = {dict(labels)["__name__"] for labels in prometheus.instant('{instance="here"}')}
    measured = {name for name in found if name.startswith(("host_", "node_"))}
    assert {"host_memory_total_bytes", "node_memory_MemTotal_bytes"} <= measured
    assert "node_cpu_seconds_total" in measured
    prefixes = (
        "host_cpu_",
        "host_memory_",
        "host_swap_",
        "node_cpu_",
        "node_memory_",
        "node_scrape_",
    )
    assert {name for name in measured if not name.startswith(prefixes)} == set()
    assert "pombo_host_info" in found
    assert {target["health"] for target in prometheus.targets()} == {"up"}
    [target] = prometheus.targets()
    assert "collect%5B%5D=cpu" in target["scrapeUrl"]


def test_prometheus_with_each_host_as_a_target_stores_the_selected_families(
    start: Launcher, tmp_path: Path
) -> None:
    exporter = start.exporter()
    start.agent("here", exporter)
    config = _YAML.load(ROOT / "prometheus/targets.yml")
    [job] = [job for job in config["scrape_configs"] if job["job_name"] == "pombo-hosts"]
    job["params"] = {"exclude[]": ["cpu"]}
    written = StringIO()
    _YAML.dump(config, written)
    path = tmp_path / "selecting.yml"
    path.write_text(written.getvalue(), encoding="utf-8")
    prometheus = start.prometheus(exporter, config=str(path))
    wait_until(lambda: prometheus.instant('node_load1{instance="here"}'), bool, "the host")
    assert prometheus.instant("node_cpu_seconds_total") == {}
    assert fetch(f"http://{exporter.target}/hosts/here/metrics").count("node_cpu_seconds_total{")
