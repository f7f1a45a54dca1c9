"""The report of a small virtual machine, as the benchmark has it: what all hosts share."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray
from pombo_wire.forms import deflated, layout_line
from pombo_wire.section import Section, in_order

from bench.fleets.reports import Row, Trend, heads
from bench.fleets.shapes import identity, small_vm

#: The interface whose totals the demonstration compares, and their columns.
INTERFACE: Final = "eth0"
COLUMNS: Final = ("receive_bytes", "transmit_bytes")

#: The family with the number of a report. It is a part of the report itself.
REPORTS: Final = "demo_reports_total"

_HELP: Final = "Number of the report that the simulated host has sent."

#: Interfaces of the captured machine that few hosts have; and for counters the loopback, as with
#: ``--collector.netdev.device-exclude=^lo$``, since a scrape has ten thousand hosts.
_LEFT_OUT: Final = {
    "networks": ("ifb0", "ifb1", "lo"),
    "interfaces": ("ifb0", "ifb1"),
    "network_info": ("ifb0", "ifb1"),
}

_NOISE: Final = np.random.default_rng(1).random(4096)
_NEXT_REPORT, _NEXT_HOST = 509, 37  # by so much the noise of two reports and of two hosts differs
_AGES: Final = 1_000  # reports: by so much the counters of hosts differ


class Template:
    """Makes datagrams of hosts: their texts by their number, their numbers by that of the report.

    Counters grow and gauges move as those of the captured machine did; the totals of ``INTERFACE``
    and the number of the report are given.
    """

    def __init__(self) -> None:
        host = small_vm()
        trends: list[Trend] = []
        sections = [_section(name, rows, trends) for name, rows in host.sections.items()]
        sections.append(Section(REPORTS, {}, (), [len(trends)], type="counter", help=_HELP))
        trends.append(Trend(0))
        ordered = [each._replace(absent=_absent(each)) for each in in_order(sections)]
        places = [int(cell) for each in ordered for cell in each.cells if cell is not None]
        self._name = _Text(host.name)
        self._layout = _Text(layout_line(ordered).decode())
        self._values = _Values([trends[place] for place in places])
        networks = next(each for each in sections if each.name == "networks")
        row = networks.labels["device"].index(INTERFACE)
        given = [networks.columns[column][row] for column in COLUMNS]
        self._given = [places.index(int(cell)) for cell in given if cell is not None]
        self._given.append(places.index(len(trends) - 1))

    def name(self, host: int) -> str:
        """Return the name of the host with this number."""
        return self._name.of(identity(host)).decode()

    def datagram(self, header: dict[str, str | float], host: int, given: Sequence[int]) -> bytes:
        """Return a host's report; ``given`` are the totals of ``COLUMNS`` and the report's number.

        The length is not checked.
        """
        values = self._values.of(given[-1], host)
        values[self._given] = given
        numbers = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
        numbers = numbers.replace(b".0,", b",").replace(b".0]", b"]")
        layout = self._layout.of(identity(host))
        return deflated(b"%b\n%b\n%b" % (orjson.dumps(header), layout, numbers))


class _Text:
    """A text with the tokens of a host's identity in it."""

    def __init__(self, text: str) -> None:
        tokens = "|".join(map(re.escape, identity(0)))
        self._pieces = re.split(f"({tokens})", text)

    def of(self, words: dict[str, str]) -> bytes:
        """Return the text of one host."""
        return "".join([words.get(piece, piece) for piece in self._pieces]).encode()


class _Values:
    """The values of a report in the order of the layout, in units of each value's last decimal."""

    def __init__(self, trends: Sequence[Trend]) -> None:
        self._first = np.array([trend.first for trend in trends], float)
        self._changing = np.array([at for at, trend in enumerate(trends) if trend.changes])
        changing = [trend for trend in trends if trend.changes]
        self._start = np.array([trend.start for trend in changing], float)
        self._growth = np.array([trend.growth for trend in changing], float)
        clocks = np.array([trend.clock for trend in changing])
        # A counter grows by a half to one and a half of its growth, a gauge moves within its range.
        spread = np.array([trend.spread for trend in changing], float)
        self._random = np.where(clocks, 0, self._growth / 2) + spread
        self._unit = np.array([10.0**trend.decimals for trend in changing])

    def of(self, report: int, host: int) -> NDArray[np.float64]:
        """Return the values of a host in the report of this number."""
        start = (report * _NEXT_REPORT + host * _NEXT_HOST) % (len(_NOISE) - len(self._start))
        noise = _NOISE[start : start + len(self._start)]
        units = self._start + self._growth * (report + host * 7919 % _AGES) + self._random * noise
        values = self._first.copy()
        values[self._changing] = np.floor(units) / self._unit
        return values


def _section(name: str, rows: Sequence[Row], trends: list[Trend]) -> Section:
    """Return a section whose cells are places in ``trends``, to which theirs are added."""
    if name in _LEFT_OUT:
        rows = [row for row in rows if row.texts[0] not in _LEFT_OUT[name]]
    labels, columns = heads(name, rows)
    cells: list[float | None] = []
    for column in columns:
        for row in rows:
            trend = row.trends.get(column)
            cells.append(None if trend is None else len(trends))
            if trend is not None:
                trends.append(trend)
    return Section(name, labels, columns, cells)


def _absent(section: Section) -> tuple[int, ...]:
    return tuple(at for at, cell in enumerate(section.cells) if cell is None)
