"""One table of thresholds: the alerting rules have its defaults, and its values in words."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_exporter.hosts.severity import DEFAULTS
from pombo_exporter.ingest.intake import REASONS
from pombo_exporter.ingest.remedies import REMEDIES
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


def rules() -> dict[str, str]:
    """Return the expression of each alert."""
    found: dict[str, str] = {}
    for path in (ROOT / "prometheus/rules").glob("*.yml"):
        for group in YAML(typ="safe").load(path)["groups"]:
            found |= {rule["alert"]: rule["expr"] for rule in group["rules"] if "alert" in rule}
    return found


def same(value: float) -> float:
    return value


def rest(value: float) -> float:
    return 1 - value


@pytest.mark.parametrize(
    ("alert", "expression", "threshold", "convert"),
    [
        ("HostFilesystemFull", r"\)\s*< ([\d.]+)", DEFAULTS["disk"].critical, rest),
        ("HostMemoryShort", r"ratio < ([\d.]+)", DEFAULTS["memory"].warning, rest),
        ("PomboDatagramLoss", r"> ([\d.]+)", DEFAULTS["loss"].warning, same),
        ("PomboHostClockOff", r"seconds > ([\d.]+) or", DEFAULTS["clock"].warning, same),
        ("PomboHostClockOff", r"seconds < -([\d.]+)\)", DEFAULTS["clock"].warning, same),
    ],
)
def test_alert_has_the_threshold_of_the_table(
    alert: str, expression: str, threshold: float, convert: Callable[[float], float]
) -> None:
    [found] = re.findall(expression, rules()[alert])
    assert convert(float(found)) == pytest.approx(threshold)


def test_each_refusal_has_the_remedy_of_the_document() -> None:
    text = (ROOT / "docs/wire.md").read_text(encoding="utf-8")
    [table] = re.findall(r"\n\| reason \| cause \| remedy \|\n(.*?)\n\n", text, re.DOTALL)
    rows = [re.fullmatch(r"\| `(\w+)` \| .* \| (.*) \|", line) for line in table.splitlines()[1:]]
    found = {match[1]: plain(match[2]) for match in rows if match}
    assert found == REMEDIES
    assert {*found} == {str(reason) for reason in REASONS}


def plain(text: str) -> str:
    """Return a text of Markdown without links and backquotes."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "")
