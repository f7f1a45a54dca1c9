"""Writes the rows of all cases as a Markdown table, and keeps them as JSON."""

import json
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.report.curves import CURVES, draw


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, and its reference in the same run.

    ``hosts`` and ``points`` are for the curves: the number of hosts, and one figure for
    each curve, by the curve's name.
    """

    what: str
    figure: str
    reference: str
    hosts: int = 0
    points: Mapping[str, float] = field(default_factory=dict)


class Results:
    """The latest rows of each case, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "results.json"
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else "{}"
        self._cases: dict[str, dict[str, object]] = json.loads(text)

    def put(self, case: str, command: str, rows: Sequence[Row]) -> None:
        """Replace the rows of a case."""
        self._cases[case] = {
            "command": command,
            "fleet": "of real reports",
            "day": time.strftime("%Y-%m-%d"),
            "machine": f"{os.cpu_count()} cores ({_processor()}), "
            f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}",
            "rows": [asdict(row) for row in rows],
        }

    def write(self, order: Sequence[str]) -> None:
        """Write the table, the curves and the JSON, with the cases in this order."""
        self._cases = {name: self._cases[name] for name in order if name in self._cases}
        self._file.write_text(json.dumps(self._cases, indent=1) + "\n", encoding="utf-8")
        cases = {
            name: [Row(**row) for row in case["rows"]]  # type: ignore[attr-defined]
            for name, case in self._cases.items()
        }
        drawn = self._curves([row for rows in cases.values() for row in rows])
        lines = [*_HEAD]
        for name, rows in cases.items():
            case = self._cases[name]
            title = name.replace("_", " ").capitalize()
            lines += ["", f"## {title}", "", f"{case['day']}: {case['machine']}.", ""]
            if "fleet" not in case:
                lines += [_LIGHT_FLEET, ""]
            lines += ["| what | figure | reference | command |", "|---|---|---|---|"]
            command = f"`{case['command']}`"
            lines += [
                f"| {row.what} | {row.figure} | {row.reference} | {command} |" for row in rows
            ]
        if drawn:
            lines += ["", "## Cost against hosts", ""]
            lines += [f"![{title}]({file})" for file, title in drawn]
        table = self._folder / "results.md"
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _curves(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """Draw the curves with two points or more; return their files and titles."""
        drawn = []
        for name, (title, unit) in CURVES.items():
            found = {row.hosts: row.points[name] for row in rows if name in row.points}
            if len(found) > 1:
                file = f"{name}.svg"
                text = draw(title, unit, sorted(found.items()))
                (self._folder / file).write_text(text, encoding="utf-8")
                drawn.append((file, title))
        return drawn


def _processor() -> str:
    """Return the processor's name, as the kernel has it."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


#: Stands above rows that were measured before the fleets were made of real reports.
_LIGHT_FLEET = (
    "**These rows are too good.** They were measured with an earlier fleet, whose hosts sent 5 "
    "datagrams with 234 samples. A small virtual machine sends 9 with 512, and a host of the "
    "present [fleet](../fleets/README.md) 14 with 963 on average. The command measures that fleet."
)

_HEAD = (
    "# What Pombo costs",
    "",
    "Each figure has a reference that was measured in the same run, on the same machine. Machines",
    "differ and are noisy: the ratios say more than the figures. [Sizing](../../docs/sizing.md)",
    "explains the rows. `make bench` and `make bench-full` write this file.",
)
