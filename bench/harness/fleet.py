"""What a fleet of hosts sends: datagrams that are ready but for the numbers that change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, cycle, islice
from typing import Any, Literal, get_args

import msgspec
import numpy as np
from msgspec.structs import asdict
from pombo_wire import MAPS, SECTIONS, Report, Table, split

from bench.fleets.reports import Trend, parts
from bench.fleets.shapes import SHAPES, Host, identity, unlike

INTERVAL = 5.0  # seconds

#: ``few`` has four shapes of hosts, in ``unlike`` no two hosts have the same size or names.
Kind = Literal["few", "unlike"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: The most reports of a host: no text becomes longer than the room that it has until then.
MAX_REPORTS = 20_000

_AGES = 1_000  # reports: by so much the counters of hosts of one shape differ
_SESSION = 1_700_000_000_000_000_000

# Noise, of which each value in each report takes one number; its length is a power of two.
_NOISE = np.random.default_rng(1).random(4096)
_NEXT_VALUE, _NEXT_REPORT, _NEXT_HOST = 1021, 509, 37


class _Numbers:
    """The values that change, of all datagrams of a report, in the order of their texts.

    The arrays have the shape ``(values,)``, in units of each value's last decimal.
    """

    def __init__(self, trends: Sequence[Trend]) -> None:
        self._start = np.array([trend.start for trend in trends], float)
        self._growth = np.array([trend.growth for trend in trends], np.float32)
        # A gauge alternates between the lower and the upper half of its range, and a counter grows
        # by half to one and a half of its growth: so no two reports in a row have the same value.
        self._half = np.array([trend.spread // 2 for trend in trends], np.float32)
        clocks = np.array([trend.clock for trend in trends])
        self._random = np.where(clocks, 0, self._growth / 2) + self._half
        self._unit = np.array([10**trend.decimals for trend in trends], np.float32)

    def of(self, report: int, host: int) -> list[float]:
        """Return the values of a host in the report of this number."""
        values = np.arange(len(self._start))
        index = values * _NEXT_VALUE + report * _NEXT_REPORT + host * _NEXT_HOST
        units = self._start + self._growth.astype(float) * (report + host * 7919 % _AGES)
        units += self._half * ((values + report + host) & 1)
        units += self._random * _NOISE[index & (len(_NOISE) - 1)]
        return (np.floor(units) / self._unit).tolist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Template:
    """The datagrams of hosts of one shape.

    Each text has tokens of the host's identity, and a conversion (``%d``, ``%.2f``) for each
    number that changes: ``seq``, ``time``, ``monotonic``, and the values up to its end.
    """

    texts: tuple[bytes, ...]
    layout: "_Layout"


@dataclass(frozen=True)
class _Layout:
    """What all hosts of a shape share: their values, and where those of each datagram end."""

    ends: tuple[int, ...]
    numbers: _Numbers
    values: int  # of one report, changing or not


@dataclass(frozen=True)
class _Sender:
    """One host: its number, the texts of its template with its identity, and their layout."""

    number: int
    texts: tuple[bytes, ...]
    layout: _Layout

    def datagrams(self, report: int) -> Iterator[bytes]:
        now = report * INTERVAL
        clock, seq, start = (1.8e9 + now, 1e5 + now), report * len(self.texts), 0
        numbers = self.layout.numbers.of(report, self.number)
        for index, (text, end) in enumerate(zip(self.texts, self.layout.ends, strict=True)):
            yield text % (seq + index, *clock, *numbers[start:end])
            start = end


class Fleet:
    """Hosts that report; ``len`` is the number of datagrams in one report of all of them."""

    def __init__(self, senders: Sequence[_Sender]) -> None:
        self._senders = senders

    def __len__(self) -> int:
        return sum(len(sender.texts) for sender in self._senders)

    @property
    def values(self) -> int:
        """How many values one report of all hosts has."""
        return sum(sender.layout.values for sender in self._senders)

    @property
    def changing(self) -> int:
        """How many of the values are another one in each report."""
        return sum(sender.layout.ends[-1] for sender in self._senders)

    def datagrams(self, report: int) -> Iterator[bytes]:
        """Yield the datagrams of the report of this number, host by host."""
        assert report < MAX_REPORTS
        return chain.from_iterable(sender.datagrams(report) for sender in self._senders)


def fleet(hosts: int, kind: Kind = "few") -> Fleet:
    """Return a fleet of so many hosts."""
    if kind == "unlike":
        return Fleet([_sender(number, _template(unlike(number))) for number in range(hosts)])
    return Fleet(list(islice(_few(), hosts)))


def shaped(shape: str, hosts: int = 1) -> Fleet:
    """Return a fleet of hosts of one shape."""
    template = _template(SHAPES[shape][1]())
    return Fleet([_sender(number, template) for number in range(hosts)])


def _few() -> Iterator[_Sender]:
    """Yield hosts without end: every 20 of them have each shape as often as its share says."""
    # Each shape is spread evenly, so that a few hosts have about the same shares.
    shares = [
        ((place + 0.5) / share, shape)
        for shape, (share, _) in SHAPES.items()
        for place in range(share)
    ]
    templates = {shape: _template(host()) for shape, (_, host) in SHAPES.items()}
    for number, (_, shape) in enumerate(cycle(sorted(shares))):
        yield _sender(number, templates[shape])


def _sender(number: int, template: _Template) -> _Sender:
    words = identity(number).items()
    texts = (reduce(lambda text, word: text.replace(*word), words, text) for text in template.texts)
    return _Sender(number, tuple(texts), template.layout)


def _template(host: Host) -> _Template:
    header = Report(
        host=host.name,
        session=_SESSION,
        seq=9_999_999,
        time=1_800_000_000.125,
        monotonic=100_000.125,
        interval=INTERVAL,
    )
    reports, omitted = split(header, parts(host.sections, MAX_REPORTS + _AGES))
    assert not omitted
    rows = {
        (section, row.texts): row.trends for section, rows in host.sections.items() for row in rows
    }
    changing: list[Trend] = []
    texts, ends, values = [], [], 0
    for report in reports:
        fields = asdict(report)
        kept: dict[str, Any] = {"host": report.host, "session": report.session}
        kept |= {"seq": _SEQ, "time": _CLOCK, "monotonic": _CLOCK, "interval": INTERVAL}
        for section in (*SECTIONS, *MAPS):
            if fields[section] is not None:
                kept[section], count = _section(section, fields[section], rows, changing)
                values += count
        text = msgspec.json.encode(kept).replace(b"%", b"%%").replace(_MARK, b"%")
        texts.append(text)
        ends.append(len(changing))
    return _Template(tuple(texts), _Layout(tuple(ends), _Numbers(changing), values))


_MARK = b"\x00"  # which no text of JSON has, instead of % until those in texts are doubled
_SEQ, _CLOCK = msgspec.Raw(_MARK + b"d"), msgspec.Raw(_MARK + b".3f")


def _section(
    section: str, found: Any, rows: dict[Any, Any], changing: list[Trend]
) -> tuple[dict[str, Any], int]:
    """Return the fields of a section, with conversions for numbers, and how many values it has.

    The numbers that change are appended to ``changing``, in the order of the text.
    """

    def number(trend: Trend, value: float) -> object:
        if not trend.changes:
            return value
        changing.append(trend)
        conversion = b".%df" % trend.decimals if trend.decimals else b"d"
        return msgspec.Raw(_MARK + conversion)

    if section in MAPS:
        trends = rows[section, ()]
        return {name: number(trends[name], value) for name, value in found.items()}, len(found)
    kind = type(found)
    fields = {name: value for name, value in asdict(found).items() if value is not None}
    labels = kind.__struct_fields__[: kind.label_columns]
    values = fields.keys() - set(labels)
    if not isinstance(found, Table):
        trends = rows[section, tuple(fields[name] for name in labels)]
        shown = {
            name: number(trends[name], value) if name in values else value
            for name, value in fields.items()
            if value != ""
        }
        return shown, len(values)
    texts = list(zip(*(fields[name] for name in labels), strict=True))
    shown = {
        name: [
            number(rows[section, text][name], value) if name in values else value
            for text, value in zip(texts, column, strict=True)
        ]
        for name, column in fields.items()
    }
    return shown, len(values) * len(texts)
