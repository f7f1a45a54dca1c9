"""Writes the rows of all cases as a Markdown table, and keeps them as JSON."""

import json
import os
import platform
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.report.curves import CURVES, draw


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, and its reference in the same run.

    ``hosts``, ``points`` and ``at`` are for the curves: the number of hosts, one figure for each
    curve, by the curve's name, and what the hosts on one line have in common. ``command`` and
    ``day`` are those of the row, where it was measured by itself.
    """

    what: str
    figure: str
    reference: str
    hosts: int = 0
    points: Mapping[str, float] = field(default_factory=dict)
    at: str = ""
    command: str = ""
    day: str = ""


class Results:
    """The latest rows of each case, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "results.json"
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else "{}"
        self._cases: dict[str, dict[str, Any]] = json.loads(text)

    def put(self, case: str, command: str, rows: Sequence[Row]) -> None:
        """Replace the rows of a case, or those that were measured by themselves."""
        found = [_kept(row) for row in rows]
        if rows and all(row.command for row in rows):
            kept = {row["what"]: row for row in self.rows(case)}
            found = [*(kept | {row["what"]: row for row in found}).values()]
        self._cases[case] = {"command": command, **circumstances(), "rows": found}

    def rows(self, case: str) -> list[dict[str, Any]]:
        """Return the rows of a case as the JSON has them; none where it has not been measured."""
        found: list[dict[str, Any]] = self._cases.get(case, {}).get("rows", [])
        return found

    def write(self, order: Sequence[str], expected: Collection[str] = ()) -> None:
        """Write the table, the curves and the JSON, with the cases in this order.

        The table says which of the ``expected`` cases have no rows.
        """
        self._cases = {name: self._cases[name] for name in order if name in self._cases}
        self._file.write_text(json.dumps(self._cases, indent=1) + "\n", encoding="utf-8")
        cases = {name: [Row(**row) for row in case["rows"]] for name, case in self._cases.items()}
        drawn = self._curves([row for rows in cases.values() for row in rows])
        lines = [*_HEAD]
        if missing := [_title(name) for name in order if name in expected and name not in cases]:
            lines += ["", f"Not measured yet: {'; '.join(missing)}."]
        for name, rows in cases.items():
            case = self._cases[name]
            lines += ["", f"## {_title(name)}", "", f"{case['day']}: {case['machine']}.", ""]
            lines += ["| what | figure | reference | command |", "|---|---|---|---|"]
            lines += [
                f"| {row.what} | {row.figure} | {row.reference} | {_measured(row, case)} |"
                for row in rows
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
            lines: dict[str, dict[float, float]] = {}
            for row in rows:
                if name in row.points:
                    lines.setdefault(row.at, {})[row.hosts] = row.points[name]
            if sum(map(len, lines.values())) > 1:
                file = f"{name}.svg"
                text = draw(title, unit, {at: sorted(line.items()) for at, line in lines.items()})
                (self._folder / file).write_text(text, encoding="utf-8")
                drawn.append((file, title))
        return drawn


def _kept(row: Row) -> dict[str, Any]:
    """Return a row as the JSON has it; what it lacks is left out."""
    optional = ("at", "command", "day")
    return {name: value for name, value in asdict(row).items() if value or name not in optional}


def _measured(row: Row, case: Mapping[str, Any]) -> str:
    """Return by which command a row was measured, and when, if that is not said of the case."""
    day = f", {row.day}" if row.day not in ("", case["day"]) else ""
    return f"`{row.command or case['command']}`{day}"


def circumstances() -> dict[str, str]:
    """Return the day and the machine of a measurement."""
    return {
        "day": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores ({_processor()}), "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}",
    }


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _processor() -> str:
    """Return the processor's name, as the kernel has it."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


_HEAD = (
    "# What Pombo costs",
    "",
    "Each figure has a reference that was measured in the same run, on the same machine. Machines",
    "differ and are noisy: the ratios say more than the figures. [Sizing](../../docs/sizing.md)",
    "explains the rows, and [the fleets](../fleets/README.md) are the hosts that report: all like",
    "the captured one, unless a title says otherwise. The first edition's figures are of reports",
    "of that host, too. `make bench` and `make bench-full` write this file.",
)
