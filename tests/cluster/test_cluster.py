"""deploy/cluster: its files are accepted, keep the rules of docs/cluster.md, and stand kills."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.documents import blocks
from support.processes import BIN, ROOT, found

from faults.cluster.services import FOLDER
from faults.cluster.stores import decreases, longest_gap
from faults.cluster.table import rows_of
from faults.cluster.trial import FULL, SHIPPED_REPORT, SHIPPED_SCRAPE, Finding
from faults.harness.outcome import BrokenRuleError
from faults.table import PATH

_YAML = YAML(typ="safe")
#: Seconds between two reports of an agent, by default.
INTERVAL = 5

CONFIG = FOLDER / "config"
SERVICES: dict[str, Any] = _YAML.load(FOLDER / "docker-compose.yml")["services"]
SCRAPED = ("vmagent-1.yml", "vmagent-2.yml")


def succeeds(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def flags(service: str, name: str) -> list[str]:
    """Return the values of a flag, in their order."""
    found = (re.fullmatch(rf"--?{name}=(.*)", flag) for flag in SERVICES[service]["command"])
    return [match[1] for match in found if match]


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(m?s)", text, re.ASCII).groups()  # type: ignore[union-attr]
    return int(number) / (1000 if unit == "ms" else 1)


@pytest.mark.parametrize("name", SCRAPED)
def test_vmagent_accepts_what_it_scrapes(name: str) -> None:
    strict = ("-promscrape.config.strictParse", f"-promscrape.config={CONFIG / name}")
    succeeds(found("vmagent"), "-dryRun", *strict)


@pytest.mark.parametrize("name", ["receiver.yml", "reader.yml"])
def test_promtool_accepts_the_configuration(name: str) -> None:
    succeeds(found("promtool"), "check", "config", "--lint=all", "--lint-fatal", CONFIG / name)


def test_alerts_fire_when_they_should() -> None:
    succeeds(
        found("promtool"), "check", "rules", "--lint=all", "--lint-fatal", CONFIG / "rules.yml"
    )
    succeeds(found("promtool"), "test", "rules", Path(__file__).with_name("rules.test.yml"))


def test_podman_compose_accepts_the_compose_file() -> None:
    succeeds(BIN / "podman-compose", f"--file={FOLDER / 'docker-compose.yml'}", "config")


def test_every_file_that_the_compose_file_mounts_is_there_but_the_keys() -> None:
    sources = {
        volume["source"]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind"
    }
    assert {each for each in sources if not (FOLDER / each).exists()} == {"./pombo.keys"}


def test_both_vmagents_scrape_the_same_at_moments_of_their_own() -> None:
    both = [_YAML.load(CONFIG / name) for name in SCRAPED]
    offsets = [job.pop("scrape_offset") for config in both for job in config["scrape_configs"]]
    assert len({*offsets}) == len(offsets) == 6
    assert both[0] == both[1]


def test_a_scrape_interval_is_longer_than_a_value_is_shown_by_any_exporter() -> None:
    both = [_YAML.load(CONFIG / name) for name in SCRAPED]
    offsets = [seconds(job["scrape_offset"]) for each in both for job in each["scrape_configs"]]
    interval, timeout = (
        seconds(both[0]["global"][key]) for key in ("scrape_interval", "scrape_timeout")
    )
    assert (interval, INTERVAL) == (SHIPPED_SCRAPE, SHIPPED_REPORT)
    late = interval / 10
    spread = max(offsets) - min(offsets)
    assert interval >= 3 * INTERVAL + spread + timeout + late
    # What is deduplicated has at most a report interval more between two samples.
    assert spread < INTERVAL
    # A round does not reach into the next window of deduplication.
    assert min(offsets) > 0
    assert max(offsets) + late < interval
    for store in ("victoria-1", "victoria-2"):
        assert flags(store, "dedup.minScrapeInterval") == [f"{interval:g}s"]


@pytest.mark.parametrize("service", ["vmagent-1", "vmagent-2"])
def test_every_store_has_a_file_that_says_which_series_it_gets(service: str) -> None:
    urls = flags(service, "remoteWrite.url")
    files = flags(service, "remoteWrite.urlRelabelConfig")
    assert len(urls) == len(files) == 5
    assert all((CONFIG / Path(file).name).is_file() for file in files)


def test_each_series_is_at_two_of_three_receivers() -> None:
    kept: list[str] = []
    for number in (1, 2, 3):
        hashed, keep, _ = _YAML.load(CONFIG / f"series-{number}.yml")
        assert hashed["modulus"] == 3
        kept += [third for third in "012" if re.fullmatch(keep["regex"], third)]
    assert sorted(kept) == ["0", "0", "1", "1", "2", "2"]


def test_the_reader_asks_every_receiver() -> None:
    asked = [each["url"] for each in _YAML.load(CONFIG / "reader.yml")["remote_read"]]
    receivers = [name for name in SERVICES if name.startswith("receiver-")]
    listening = [flags(name, "web.listen-address")[0] for name in receivers]
    assert asked == [f"http://{address}/api/v1/read" for address in listening]


FLAGS = [block for block in blocks("docs/cluster.md") if block.mark == "flags of vmagent"]


@pytest.mark.parametrize("block", FLAGS, ids=lambda block: block.place)
def test_vmagent_accepts_the_flags_for_another_store(block: Any) -> None:
    config = f"-promscrape.config={CONFIG / SCRAPED[0]}"
    succeeds(found("vmagent"), "-dryRun", config, *block.text.split())


def test_flags_for_four_other_stores_are_documented() -> None:
    assert len(FLAGS) == 4


def test_longest_gap_counts_from_the_start_and_to_the_end() -> None:
    assert longest_gap([], 10.0, 15.0) == (5.0, 10.0)
    assert longest_gap([11.0, 12.0], 10.0, 15.0) == (3.0, 12.0)
    assert longest_gap([13.0, 14.0], 10.0, 15.0) == (3.0, 10.0)
    assert longest_gap([11.0, 13.5, 14.0], 10.0, 15.0) == (2.5, 11.0)


def test_each_value_below_the_one_before_is_a_decrease() -> None:
    assert decreases([1, 2, 2, 1, 3, 0]) == 2
    assert decreases([]) == 0


GOOD = Finding(
    killed="a store",
    kills=20,
    store="Prometheus",
    totals=FULL.hosts * 12,
    longest_gap=17.5,
    decreases=0,
    raw_decreases=5,
    difference=0.0,
)


def test_a_finding_that_keeps_the_rules_is_accepted() -> None:
    GOOD.check(FULL)


@pytest.mark.parametrize(
    "broken",
    [{"totals": 5_999}, {"longest_gap": 17.6}, {"decreases": 1}, {"difference": 1.0}],
    ids=str,
)
def test_a_finding_that_breaks_a_rule_is_an_error(broken: dict[str, Any]) -> None:
    with pytest.raises(BrokenRuleError):
        replace(GOOD, **broken).check(FULL)


def test_document_has_a_row_of_each_kill_and_store() -> None:
    stores = ("VictoriaMetrics", "Prometheus")
    kinds = ("an exporter", "a vmagent", "a store")
    rows = rows_of(PATH.read_text(encoding="utf-8"))
    assert [(row[0], row[2]) for row in rows] == [(kind, to) for kind in kinds for to in stores]
    assert {row[1] for row in rows} == {"20"}
    assert {row[-1] for row in rows} == {"0"}


@pytest.mark.slow
@pytest.mark.integration
def test_rules_hold_when_each_part_is_killed_twice() -> None:
    command = [sys.executable, "-m", "faults.cluster", "--short"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n| a") == 6
