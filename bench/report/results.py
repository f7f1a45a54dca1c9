"""Rows of figures to a table that anyone can read; what came of which command is kept as JSON."""

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
    """One figure: what was measured, and beside which reference of the same run.

    ``hosts`` and ``points`` are for the curves: the number of hosts, and figures by the
    curve that they stand on.
    """

    what: str
    figure: str
    beside: str
    hosts: int = 0
    points: Mapping[str, float] = field(default_factory=dict)


class Results:
    """The rows of each part of the benchmark, as they came last, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "results.json"
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else "{}"
        self._parts: dict[str, dict[str, object]] = json.loads(text)

    def put(self, part: str, command: str, rows: Sequence[Row]) -> None:
        """Replace the rows of a part."""
        self._parts[part] = {
            "command": command,
            "day": time.strftime("%Y-%m-%d"),
            "machine": f"{os.cpu_count()} cores ({_processor()}), "
            f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}",
            "rows": [asdict(row) for row in rows],
        }

    def write(self, order: Sequence[str]) -> None:
        """Write the table, the curves, and what they are made of; the parts in this order."""
        self._parts = {name: self._parts[name] for name in order if name in self._parts}
        self._file.write_text(json.dumps(self._parts, indent=1) + "\n", encoding="utf-8")
        parts = {
            name: [Row(**row) for row in part["rows"]]  # type: ignore[attr-defined]
            for name, part in self._parts.items()
        }
        drawn = self._curves([row for rows in parts.values() for row in rows])
        lines = [*_HEAD]
        for name, rows in parts.items():
            part = self._parts[name]
            lines += ["", f"## {name.capitalize()}", "", f"{part['day']}: {part['machine']}.", ""]
            lines += ["| what | figure | beside | command |", "|---|---|---|---|"]
            command = f"`{part['command']}`"
            lines += [f"| {row.what} | {row.figure} | {row.beside} | {command} |" for row in rows]
        if drawn:
            lines += ["", "## Cost against hosts", ""]
            lines += [f"![{title}]({file})" for file, title in drawn]
        table = self._folder / "results.md"
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _curves(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """Draw the curves that have two points or more; return their files and titles."""
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
    """Return what the kernel calls the processor."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


_HEAD = (
    "# What Pombo costs",
    "",
    "Each figure stands beside a reference that was measured in the same run, on the same machine.",
    "Machines differ and are noisy: the ratios say more than the figures. What the rows mean is",
    "in [sizing](../../docs/sizing.md); `make bench` and `make bench-full` write this page anew.",
)
