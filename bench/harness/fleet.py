"""What a fleet of hosts sends: datagrams that the product's own splitter makes of their numbers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import chain
from typing import Literal, get_args

import numpy as np
from pombo_wire.forms import plain
from pombo_wire.sealing import overhead
from pombo_wire.section import Section
from pombo_wire.splitting import Splitter

from bench.fleets.reports import Row, Trend, heads
from bench.fleets.shapes import OTHERS, SHAPES, Host, identity, unlike

INTERVAL = 5.0  # seconds

#: In ``alike`` all hosts are small virtual machines, ``few`` has four shapes of hosts, and in
#: ``unlike`` no two hosts have the same size or names.
Kind = Literal["alike", "few", "unlike"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_AGES = 1_000  # reports: by so much the counters of hosts of one shape differ
_SESSION = 1_700_000_000_000_000_000

# Noise, of which each value in each report takes one number; its length is a power of two.
_NOISE = np.random.default_rng(1).random(4096)
_NEXT_VALUE, _NEXT_REPORT, _NEXT_HOST = 1021, 509, 37


class _Numbers:
    """The values that change, of all sections of a report.

    The arrays have the shape ``(values,)``, in units of each value's last decimal.
    """

    def __init__(self, trends: Sequence[Trend]) -> None:
        self.count = len(trends)
        self._start = np.array([trend.start for trend in trends], float)
        self._growth = np.array([trend.growth for trend in trends], np.float32)
        # A gauge alternates between the lower and the upper half of its range, and a counter grows
        # by half to one and a half of its growth: so no two reports in a row have the same value.
        self._half = np.array([trend.spread // 2 for trend in trends], np.float32)
        clocks = np.array([trend.clock for trend in trends])
        self._random = np.where(clocks, 0, self._growth / 2) + self._half
        self._unit = np.array([10**trend.decimals for trend in trends], np.float32)

    def of(self, report: int, host: int, pace: float = 1.0) -> list[float]:
        """Return the values of a host in the report of this number.

        ``pace`` is how many times ``INTERVAL`` is between two reports: by so much more the counters
        grow.
        """
        values = np.arange(self.count)
        index = values * _NEXT_VALUE + report * _NEXT_REPORT + host * _NEXT_HOST
        units = self._start + self._growth.astype(float) * (report * pace + host * 7919 % _AGES)
        units += self._half * ((values + report + host) & 1)
        units += self._random * _NOISE[index & (len(_NOISE) - 1)]
        return (np.floor(units) / self._unit).tolist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Template:
    """What hosts of one shape share; its texts have the tokens of a host's identity.

    ``changing`` has the indexes of the cells that change, by section; ``numbers`` has their values,
    section after section.
    """

    host: str
    sections: tuple[Section, ...]
    changing: tuple[tuple[int, ...], ...]
    numbers: _Numbers


class Sender:
    """One host, which sends its reports one after the other.

    With ``seals``, its datagrams are those that an agent seals: they have no name and no number,
    and leave room for the seal. ``interval`` is between two reports, in seconds.
    """

    def __init__(
        self,
        number: int,
        template: _Template,
        *,
        seals: bool = False,
        interval: float = INTERVAL,
    ) -> None:
        words = identity(number)
        self._interval = interval
        self.number, self._template, self._seals = number, template, seals
        self.host = _named(template.host, words)
        self._sections = [_of_host(section, words) for section in template.sections]
        reserve = overhead(self.host.encode()) if seals else 0
        self._splitter, self._seq = Splitter(reserve=reserve), 0

    @property
    def values(self) -> int:
        """How many values a report has."""
        cells = (cell for section in self._sections for cell in section.cells)
        return sum(cell is not None for cell in cells)

    @property
    def changing(self) -> int:
        """How many of the values are another one in each report."""
        return self._template.numbers.count

    def datagrams(self, report: int) -> list[bytes]:
        """Return the datagrams of the report of this number, and count them as sent."""
        header = self._header(report)
        made, omitted = self._splitter.datagrams(header, self._filled(report))
        assert not omitted
        self._seq += len(made)
        return made

    def plain(self, report: int) -> bytes:
        """Return the report of this number as one JSON object, however long."""
        return plain(self._header(report), self._filled(report))

    def _header(self, report: int) -> dict[str, str | float]:
        now, millisecond = report * self._interval, self.number * 7919 % 1000 / 1000
        header: dict[str, str | float] = {
            "host": self.host,
            "session": _SESSION + self.number * 123_456_789,
            "seq": self._seq,
            "interval": self._interval,
            "time": round(1.8e9 + now + millisecond, 3),
            "monotonic": round(1e5 + now + millisecond + report * 509 % 1000 * 1e-6, 6),
        }
        if self._seals:
            del header["host"], header["seq"]
        return header

    def _filled(self, report: int) -> list[Section]:
        """Return the sections with the numbers of a report."""
        pace = self._interval / INTERVAL
        numbers = iter(self._template.numbers.of(report, self.number, pace))
        found = []
        for section, changing in zip(self._sections, self._template.changing, strict=True):
            if changing:
                cells = [*section.cells]
                for place in changing:
                    cells[place] = next(numbers)
                found.append(section._replace(cells=cells))
            else:
                found.append(section)
        return found


class Fleet:
    """Hosts that report; ``len`` is their number."""

    def __init__(self, senders: Iterable[Sender]) -> None:
        self.senders = tuple(senders)

    def __len__(self) -> int:
        return len(self.senders)

    @property
    def values(self) -> int:
        """How many values one report of all hosts has."""
        return sum(sender.values for sender in self.senders)

    @property
    def changing(self) -> int:
        """How many of the values are another one in each report."""
        return sum(sender.changing for sender in self.senders)

    def datagrams(self, report: int) -> Iterator[bytes]:
        """Yield the datagrams of the report of this number, host by host.

        The reports are to be made in order, since a host keeps its plan and counts its datagrams.
        """
        return chain.from_iterable(sender.datagrams(report) for sender in self.senders)


def senders(
    hosts: Iterable[int], kind: str, *, seals: bool = False, interval: float = INTERVAL
) -> Iterator[Sender]:
    """Yield the hosts of these numbers; ``kind`` is a ``Kind`` or the name of a shape."""
    for number in hosts:
        if kind == "unlike":
            template = _template(unlike(number))
        elif kind == "few":
            template = _shape(_few(number))
        else:
            template = _shape("small_vm" if kind == "alike" else kind)
        yield Sender(number, template, seals=seals, interval=interval)


def fleet(hosts: int, kind: Kind = "alike", *, seals: bool = False) -> Fleet:
    """Return a fleet of so many hosts."""
    return Fleet(senders(range(hosts), kind, seals=seals))


def shaped(shape: str, hosts: int = 1) -> Fleet:
    """Return a fleet of hosts of one shape, of ``SHAPES`` or ``OTHERS``."""
    return Fleet(Sender(number, _shape(shape)) for number in range(hosts))


def _few(number: int) -> str:
    """Return the shape of a host: every 20 hosts have each as often as its share says."""
    return _order()[number % len(_order())]


@cache
def _order() -> list[str]:
    """Return 20 shapes; each is spread evenly, so that a few hosts have about the same shares."""
    shares = [
        ((place + 0.5) / share, shape)
        for shape, (share, _) in SHAPES.items()
        for place in range(share)
    ]
    return [shape for _, shape in sorted(shares)]


@cache
def _shape(shape: str) -> _Template:
    return _template(OTHERS[shape]() if shape in OTHERS else SHAPES[shape][1]())


def _named(text: str, words: dict[str, str]) -> str:
    return reduce(lambda text, word: text.replace(*word), words.items(), text)


def _of_host(section: Section, words: dict[str, str]) -> Section:
    """Return a section with the texts of one host; the same one where these have no token."""
    texts = chain.from_iterable(section.labels.values())
    if not any(token in text for text in texts for token in words):
        return section
    labels = {
        name: tuple(_named(text, words) for text in column)
        for name, column in section.labels.items()
    }
    return section._replace(labels=labels)


def _template(host: Host) -> _Template:
    sections, changing, trends = [], [], []
    for name, rows in host.sections.items():
        section, cells = _section(name, rows)
        places = tuple(at for at, cell in enumerate(cells) if cell is not None and cell.changes)
        sections.append(section)
        changing.append(places)
        trends += [cell for cell in cells if cell is not None and cell.changes]
    return _Template(host.name, tuple(sections), tuple(changing), _Numbers(trends))


def _section(name: str, rows: Sequence[Row]) -> tuple[Section, list[Trend | None]]:
    """Return a section with the first value of each cell, and the cells."""
    labels, columns = heads(name, rows)
    cells = [row.trends.get(column) for column in columns for row in rows]
    first = [None if cell is None else cell.first for cell in cells]
    return Section(name, labels, columns, first), cells
