"""The alerting and recording rules: promtool accepts them, and each alert is tested and documented.

The ``*.test.yml`` files in this folder have the input series and the expected alerts.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
CASES = sorted(Path(__file__).parent.glob("*.test.yml"))

Mapping = dict[str, Any]


def promtool(*arguments: str | Path) -> str:
    """Return the output of promtool; the test fails if promtool does."""
    program = shutil.which("promtool")
    assert program, "promtool is not on PATH: install Prometheus"
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def read(path: Path) -> Mapping:
    """Return a YAML file's content."""
    content: Mapping = YAML(typ="safe").load(path)
    return content


def rules() -> Iterator[Mapping]:
    """Yield every rule of every file."""
    for path in RULES:
        for group in read(path)["groups"]:
            yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def expected_alerts(alert: str) -> Iterator[list[Mapping]]:
    """Yield the expected alerts of each check of this alert in the test files."""
    for path in CASES:
        for case in read(path)["tests"]:
            for check in case["alert_rule_test"]:
                if check["alertname"] == alert:
                    yield check["exp_alerts"]


def test_promtool_accepts_the_rules() -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert said.count("SUCCESS") == len(RULES) > 0
    assert not re.search("warn|error|duplicate|fail", said, re.IGNORECASE), said


def test_promtool_accepts_the_configuration_with_the_rules() -> None:
    said = promtool("check", "config", "--lint=all", "--lint-fatal", ROOT / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said
    assert not re.search("warn|error|fail", said, re.IGNORECASE), said


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_must_and_only_then(path: Path) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_firing_and_not_firing(alert: str) -> None:
    checks = list(expected_alerts(alert))
    assert any(checks)
    assert not all(checks)


def test_no_case_names_an_alert_that_does_not_exist() -> None:
    cases = [case for path in CASES for case in read(path)["tests"]]
    named = {check["alertname"] for case in cases for check in case["alert_rule_test"]}
    assert named == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_severity_a_summary_and_a_remedy(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert "$labels.instance" in rule["annotations"]["summary"]
    assert len(rule["annotations"]["description"].split()) > 20


def test_every_alert_and_no_other_is_explained_in_the_documentation() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    said = re.findall(r"^### (\w+) \((\w+)\)$", text, re.MULTILINE)
    assert sorted(said) == sorted(
        (alert, rule["labels"]["severity"]) for alert, rule in ALERTS.items()
    )


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_links_to_its_section_of_the_documentation(alert: str) -> None:
    rule = ALERTS[alert]
    anchor = f"{alert.lower()}-{rule['labels']['severity']}"
    assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{anchor}"


def test_recording_rules_are_named_level_metric_operation() -> None:
    names = [rule["record"] for rule in rules() if "record" in rule]
    assert names
    assert all(re.fullmatch(r"instance:(pombo_)?host_\w+:\w+", name) for name in names), names
