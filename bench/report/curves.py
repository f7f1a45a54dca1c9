"""Draws curves over the number of hosts, as SVG for light and dark backgrounds."""

from collections.abc import Sequence
from html import escape
from math import log10

#: Title and unit of each curve, by the name of its file.
CURVES = {
    "cpu": ("Exporter's CPU, reports every 5 s and scrapes", "cores"),
    "cpu-per-host": ("Exporter's CPU per host, relative to the fewest hosts", "times"),
    "scrape-seconds": ("Time of a scrape with gzip, under load", "seconds"),
    "resident": ("Exporter's resident memory", "MiB"),
    "lost": ("Datagrams lost with the default receive buffer", "per million"),
}

_WIDTH, _HEIGHT, _MARGIN = 480, 260, 56
_STYLE = (
    "text{fill:#333;font:11px sans-serif}path{stroke:#888;fill:none}"
    "polyline{stroke:#36c;stroke-width:2;fill:none}circle{fill:#36c}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}"
    "polyline{stroke:#8af}circle{fill:#8af}}"
)


def draw(title: str, unit: str, points: Sequence[tuple[float, float]]) -> str:
    """Return the SVG: hosts on a logarithmic axis, figures on a linear one from zero."""
    least, most = log10(points[0][0]), log10(points[-1][0])
    top = max(figure for _, figure in points) or 1
    across, up = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    floor = _HEIGHT - _MARGIN
    spots = [
        (_MARGIN + (log10(hosts) - least) / (most - least) * across, floor - figure / top * up)
        for hosts, figure in points
    ]
    marks = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3"/>'
        f'<text x="{x:.0f}" y="{y - 9:.0f}" text-anchor="middle">{figure:.3g}</text>'
        f'<text x="{x:.0f}" y="{floor + 18}" text-anchor="middle">{hosts:,.0f}</text>'
        for (x, y), (hosts, figure) in zip(spots, points, strict=True)
    )
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
    middle = _WIDTH // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}"><style>{_STYLE}</style>'
        f'<text x="{middle}" y="18" text-anchor="middle">{escape(title)}, {escape(unit)}</text>'
        f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">hosts</text>'
        f'<path d="M{_MARGIN - 16} {floor}H{_WIDTH - _MARGIN + 16}"/>'
        f'<polyline points="{line}"/>{marks}</svg>\n'
    )
