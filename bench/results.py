"""Rows of figures to a table that anyone can read, and curves to pictures."""

import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, by which part of the benchmark, beside which reference."""

    part: str
    what: str
    figure: str
    beside: str


def table(rows: Iterable[Row], command: str) -> str:
    """Return results.md."""
    lines = [
        "# What Pombo costs",
        "",
        f"Made by `{command}` on {time.strftime('%Y-%m-%d')}: {os.cpu_count()} cores,",
        f"Linux {platform.release()}, Python {platform.python_version()}. Machines differ and",
        "are noisy: the ratios say more than the figures.",
        "",
        "| part | what | figure | beside |",
        "|---|---|---|---|",
    ]
    lines += [f"| {row.part} | {row.what} | {row.figure} | {row.beside} |" for row in rows]
    return "\n".join(lines) + "\n"


def curve(path: Path, title: str, unit: str, points: Sequence[tuple[float, float]]) -> None:
    """Draw one curve over the number of hosts, on logarithmic paper, as SVG."""
    width, height, margin = 480, 280, 56
    xs, ys = [x for x, _ in points], [y for _, y in points]

    def place(value: float, values: Sequence[float], size: int) -> float:
        least, most = min(values), max(values)
        return margin + (value - least) / ((most - least) or 1) * (size - 2 * margin)

    spots = [(place(x, xs, width), height - place(y, [0, *ys], height)) for x, y in points]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
    marks = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3"/>'
        f'<text x="{x:.0f}" y="{y - 9:.0f}" text-anchor="middle">{value:g}</text>'
        f'<text x="{x:.0f}" y="{height - 30}" text-anchor="middle">{hosts:,.0f}</text>'
        for (x, y), (hosts, value) in zip(spots, points, strict=True)
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<text x="{width / 2}" y="20" text-anchor="middle" font-size="14">{escape(title)}</text>'
        f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">hosts</text>'
        f'<text x="10" y="38">{escape(unit)}</text>'
        f'<polyline points="{line}" fill="none" stroke="#36c" stroke-width="2"/>{marks}</svg>\n',
        encoding="utf-8",
    )
