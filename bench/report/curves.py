"""Draws curves over the number of hosts, as SVG for light and dark backgrounds."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import chain
from math import log10

#: Title and unit of each curve, by the name of its file.
CURVES = {
    "cpu": ("Exporter's CPU, reports every 5 s and scrapes", "cores"),
    "cpu-per-host": ("Exporter's CPU per host, relative to the fewest hosts", "times"),
    "scrape-seconds": ("Time of a scrape with gzip, under load", "seconds"),
    "resident": ("Exporter's resident memory", "MiB"),
    "lost": ("Datagrams lost with the default receive buffer", "per million"),
    "limits-lost": ("Datagrams lost", "per million"),
    "limits-cpu": ("Exporter's CPU with scrapes", "cores"),
    "limits-memory": ("Exporter's memory at its peak", "MiB"),
    "limits-scrape": ("Time of a scrape with gzip", "seconds"),
    "limits-age": ("Age of the newest value when it was asked for", "ms"),
}

_WIDTH, _HEIGHT, _MARGIN = 480, 260, 56
_STYLE = (
    "text{fill:#333;font:11px sans-serif}path{stroke:#888;fill:none}"
    "polyline{stroke:#36c;stroke-width:2;fill:none}circle{fill:#36c}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}"
    "polyline{stroke:#8af}circle{fill:#8af}}"
)

Line = Sequence[tuple[float, float]]


def draw(title: str, unit: str, lines: Mapping[str, Line]) -> str:
    """Return the SVG: hosts on a logarithmic axis, figures on a linear one from zero.

    ``lines`` has the points of each line, by what its hosts have in common.
    """
    points = [*chain.from_iterable(lines.values())]
    least, most = log10(min(hosts for hosts, _ in points)), log10(max(hosts for hosts, _ in points))
    top = max(figure for _, figure in points) or 1
    across, up = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    floor = _HEIGHT - _MARGIN

    def spot(hosts: float, figure: float) -> tuple[float, float]:
        x = _MARGIN + (log10(hosts) - least) / ((most - least) or 1) * across
        return x, floor - figure / top * up

    drawn = "".join(_line(at, [(*spot(*each), *each) for each in lines[at]]) for at in lines)
    middle = _WIDTH // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}"><style>{_STYLE}</style>'
        f'<text x="{middle}" y="18" text-anchor="middle">{escape(title)}, {escape(unit)}</text>'
        f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">hosts</text>'
        f'<path d="M{_MARGIN - 16} {floor}H{_WIDTH - _MARGIN + 16}"/>'
        f"{drawn}</svg>\n"
    )


def _line(at: str, spots: Sequence[tuple[float, float, float, float]]) -> str:
    """Return a line of points, each with its figure, its hosts and what they have in common."""
    floor = _HEIGHT - _MARGIN
    marks = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3"/>'
        f'<text x="{x:.0f}" y="{y - 9:.0f}" text-anchor="middle">{figure:.3g}</text>'
        f'<text x="{x:.0f}" y="{floor + 18}" text-anchor="middle">{_short(hosts)}</text>'
        + (at and f'<text x="{x:.0f}" y="{y - 21:.0f}" text-anchor="middle">{escape(at)}</text>')
        for x, y, hosts, figure in spots
    )
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y, _, _ in spots)
    return f'<polyline points="{line}"/>{marks}'


def _short(hosts: float) -> str:
    """Return a number in so few letters that two sizes of a fleet do not touch."""
    for unit, letter in ((10**6, "M"), (10**3, "k")):
        if hosts >= unit:
            return f"{hosts / unit:g}{letter}"
    return f"{hosts:g}"
