"""The alerting and recording rules: promtool finds no fault, and each alert is tried and told of.

What each alert does to which series stands in the ``*.test.yml`` files beside this one.
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
    """Return what promtool says; the test fails if it finds fault."""
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


def tried(alert: str) -> Iterator[list[Mapping]]:
    """Yield, for each time that an alert is looked at in the cases, the alerts it must give."""
    for path in CASES:
        for case in read(path)["tests"]:
            for look in case["alert_rule_test"]:
                if look["alertname"] == alert:
                    yield look["exp_alerts"]


def test_promtool_finds_no_fault_with_the_rules() -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert said.count("SUCCESS") == len(RULES) > 0
    assert not re.search("warn|error|duplicate|fail", said, re.IGNORECASE), said


def test_promtool_finds_no_fault_with_the_configuration_that_names_them() -> None:
    said = promtool("check", "config", "--lint=all", "--lint-fatal", ROOT / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said
    assert not re.search("warn|error|fail", said, re.IGNORECASE), said


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_must_and_only_then(path: Path) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tried_firing_and_not_firing(alert: str) -> None:
    looks = list(tried(alert))
    assert any(looks)
    assert not all(looks)


def test_no_case_looks_at_an_alert_that_does_not_exist() -> None:
    cases = [case for path in CASES for case in read(path)["tests"]]
    looked_at = {look["alertname"] for case in cases for look in case["alert_rule_test"]}
    assert looked_at == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_bad_it_is_what_it_is_about_and_what_to_do(alert: str) -> None:
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


def test_recording_rules_are_named_level_metric_operation() -> None:
    names = [rule["record"] for rule in rules() if "record" in rule]
    assert names
    assert all(re.fullmatch(r"instance:(pombo_)?host_\w+:\w+", name) for name in names), names
