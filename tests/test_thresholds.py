"""One table of thresholds, which the alerting rules read; and one of remedies."""

import re
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


@pytest.mark.parametrize(
    ("check", "alerts"),
    [
        ("disk", {"HostFilesystemNearlyFull", "HostFilesystemFull"}),
        ("inodes", {"HostInodesNearlyUsed", "HostInodesUsed"}),
        ("memory", {"HostMemoryShort"}),
        ("loss", {"PomboDatagramLoss"}),
        ("clock", {"PomboHostClockOff"}),
        ("temperature", {"HostTemperatureHigh"}),
    ],
)
def test_alerts_compare_with_the_thresholds_that_the_exporter_has(
    check: str, alerts: set[str]
) -> None:
    assert check in DEFAULTS
    selector = f'pombo_exporter_thresholds{{check="{check}", severity='
    assert {alert for alert, expr in rules().items() if selector in expr} == alerts


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
