"""Parses the text format of Prometheus, version 0.0.4, as node_exporter does for text files.

What is no exact text format is an error, as is a timestamp. A histogram or summary is what its
lines together say: buckets in order, with the one for ``+Inf``, the sum and the count.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from math import inf, isnan

Labels = tuple[tuple[str, str], ...]

#: A sample: what follows the family's name in its own, its labels, and its value, which is
#: ``None`` where it is no count though it has to be one.
Sample = tuple[str, Labels, float | None]

_BLANK = b" \t"
_NAME = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(
    rb'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\["\\n])*)"[ \t]*([,}])'
)
_END_OF_LABELS = re.compile(rb"[ \t]*\}")
_COMMENT = re.compile(rb"#[ \t]*([^ \t]*)[ \t]*(.*)", re.DOTALL)
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NO_NUMBER = re.compile(rb"nan|[+-]?inf(?:inity)?", re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(.?)", re.DOTALL)
_ESCAPED = {b"\\": b"\\", b'"': b'"', b"n": b"\n"}

_TYPES = frozenset({b"COUNTER", b"GAUGE", b"HISTOGRAM", b"SUMMARY", b"UNTYPED"})
_PARTS = {"summary": ("_count", "_sum"), "histogram": ("_count", "_sum", "_bucket")}
#: The label of each bucket or quantile, which does not identify the histogram or summary.
_KEYS = {"summary": "quantile", "histogram": "le"}
_TOO_LARGE_COUNT = 2.0**64
_FIXED_DIGITS = 6  # before the point; a number with more is written with an exponent


class FormatError(ValueError):
    """A text is not in the format. ``str()`` names the line and what is wrong in it."""


class Family:
    """A family of a text: its HELP text, its type and its samples.

    ``help`` is ``None`` where the text has none. ``type`` is empty before it is known.
    """

    __slots__ = ("_metrics", "help", "name", "samples", "type")

    def __init__(self, name: str) -> None:
        self.name, self.type = name, ""
        self.help: str | None = None
        self.samples: list[Sample] = []
        self._metrics: dict[frozenset[tuple[str, str]], _Metric] = {}

    def add(self, part: str, labels: list[tuple[str, str]], value: float) -> None:
        """Add a sample; ``part`` is what follows the family's name, of a histogram or summary."""
        key_label = _KEYS.get(self.type)
        if key_label is None:
            self.samples.append(("", tuple(labels), value))
            return
        key = None
        for name, text in labels:
            if name == key_label:
                key = parse_float(text.encode())
        rest = tuple(pair for pair in labels if pair[0] != key_label)
        metric = self._metrics.setdefault(frozenset(rest), _Metric(rest))
        if part == "_count":
            metric.count = value
        elif part == "_sum":
            metric.sum = value
        elif key is not None and not isnan(key):
            metric.keyed[key] = value

    def close(self) -> None:
        """Make the samples of histograms and summaries, once all lines are read."""
        for metric in self._metrics.values():
            if self.type == "histogram":
                self.samples += metric.of_histogram()
            else:
                self.samples += metric.of_summary()
        self._metrics = {}


class _Metric:
    """A histogram or a summary with its labels; ``keyed`` has its buckets or quantiles."""

    __slots__ = ("count", "keyed", "labels", "sum")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.count = self.sum = 0.0
        self.keyed: dict[float, float] = {}

    def of_histogram(self) -> Iterator[Sample]:
        count = _count(self.count)
        buckets = {bound: _count(value) for bound, value in self.keyed.items()}
        buckets.setdefault(inf, count)
        for bound in sorted(buckets):
            yield "_bucket", (*self.labels, ("le", format_float(bound))), buckets[bound]
        yield from (("_sum", self.labels, self.sum), ("_count", self.labels, count))

    def of_summary(self) -> Iterator[Sample]:
        for quantile in sorted(self.keyed):
            labels = (*self.labels, ("quantile", format_float(quantile)))
            yield "", labels, self.keyed[quantile]
        yield "_sum", self.labels, self.sum
        yield "_count", self.labels, _count(self.count)


class _Families:
    """The families of a text by name, and the one that each line is about."""

    def __init__(self) -> None:
        self.found: dict[str, Family] = {}

    def of(self, name: str) -> tuple[Family, str]:
        """Return the family of a name in a line, new or not, and what follows the family's name.

        A name of samples of a histogram or summary is that of its family once its type is known.
        """
        family = self.found.get(name)
        if family is not None:
            return family, ""
        for kind, parts in _PARTS.items():
            for part in parts:
                if name.endswith(part) and len(name) > len(part):
                    family = self.found.get(name[: -len(part)])
                    if family is not None and family.type == kind:
                        return family, part
        family = self.found[name] = Family(name)
        return family, ""


def parse(data: bytes, most: int) -> list[Family]:
    """Return the families of a text that have samples, ``most`` of these in all.

    Raises:
        FormatError: when any line is not in the format, or there are more samples.
    """
    families = _Families()
    samples = 0
    for number, whole in enumerate(BytesIO(data), 1):
        line = whole.lstrip(_BLANK)
        if line in (b"", b"\n"):
            continue
        try:
            if not line.endswith(b"\n"):
                raise FormatError("the file does not end with a line feed")  # noqa: TRY301
            if line.startswith(b"#"):
                _read_comment(line[:-1], families)
            else:
                _read_sample(line[:-1], families)
                samples += 1
                if samples > most:
                    raise FormatError(f"more than {most} samples")  # noqa: TRY301
        except FormatError as error:
            raise FormatError(f"line {number}: {error}") from None
    for family in families.found.values():
        family.close()
    return [family for family in families.found.values() if family.samples]


def _read_comment(line: bytes, families: _Families) -> None:
    """Read a line that begins with ``#``: the HELP text or the type of a family, or anything."""
    keyword, rest = _matched(_COMMENT, line).groups()
    if keyword not in (b"HELP", b"TYPE") or not rest:
        return
    name = _NAME.match(rest)
    end = name.end() if name else 0
    if end == len(rest):
        return
    if name is None or rest[end : end + 1] not in (b" ", b"\t"):
        raise FormatError("invalid metric name in comment")
    family, _ = families.of(name[0].decode())
    text = rest[end:].lstrip(_BLANK)
    if not text:
        return
    if keyword == b"HELP":
        if family.help is not None:
            raise FormatError(f"second HELP line for {family.name}")
        family.help = _unescaped(text, b"\\n").decode(errors="replace")
        return
    if family.type:
        raise FormatError(f"second TYPE line for {family.name}, or TYPE after samples")
    kind = text.replace(b"\\", b"").upper()
    if kind not in _TYPES:
        raise FormatError(f"unknown metric type {_shown(text)}")
    family.type = kind.decode().lower()


def _read_sample(line: bytes, families: _Families) -> None:
    name = _NAME.match(line)
    if name is None:
        raise FormatError("invalid metric name")
    family, part = families.of(name[0].decode())
    family.type = family.type or "untyped"
    rest = line[name.end() :].lstrip(_BLANK)
    labels: list[tuple[str, str]] = []
    if rest.startswith(b"{"):
        end = _read_labels(rest, labels)
        rest = rest[end:].lstrip(_BLANK)
    if len({label for label, _ in labels}) < len(labels):
        raise FormatError(f"a label of {family.name} is there twice")
    value, *more = re.split(rb"[ \t]", rest, maxsplit=1)
    number = parse_float(value)
    if more:
        raise FormatError("something follows the value: timestamps are not supported")
    family.add(part, labels, number)


def _read_labels(text: bytes, labels: list[tuple[str, str]]) -> int:
    """Add the labels that ``text`` begins with, and return where they end."""
    at = 1
    while True:
        end = _END_OF_LABELS.match(text, at)
        if end:
            return end.end()
        found = _LABEL.match(text, at)
        if found is None:
            raise FormatError(f"invalid labels at {_shown(text[at:])}")
        name, value, after = found.groups()
        if name == b"__name__":
            raise FormatError("the label __name__ is reserved")
        try:
            labels.append((name.decode(), _unescaped(value, b'\\"n').decode()))
        except UnicodeDecodeError:
            raise FormatError(f"a label value is not UTF-8: {_shown(value)}") from None
        at = found.end()
        if after == b"}":
            return at


def _matched(pattern: re.Pattern[bytes], text: bytes) -> re.Match[bytes]:
    found = pattern.match(text)
    assert found is not None
    return found


def _unescaped(text: bytes, known: bytes) -> bytes:
    r"""Replace the escapes ``\\``, ``\n`` and ``\"``, of which ``known`` has those that are known.

    Raises:
        FormatError: when there are others.
    """
    if b"\\" not in text:
        return text

    def replace(found: re.Match[bytes]) -> bytes:
        if not found[1] or found[1] not in known:
            raise FormatError(f"invalid escape sequence {_shown(found[0])}")
        return _ESCAPED[found[1]]

    return _ESCAPE.sub(replace, text)


def parse_float(text: bytes) -> float:
    """Return a number of the format, which may be NaN or infinite.

    Raises:
        FormatError: when it is none, or beyond the bounds of a float64.
    """
    if _NUMBER.fullmatch(text):
        value = float(text)
        if abs(value) < inf:
            return value
    elif _NO_NUMBER.fullmatch(text):
        return float(text)
    raise FormatError(f"expected a number, found {_shown(text)}")


def format_float(value: float) -> str:
    """Return a number as the values of ``le`` and ``quantile`` are written: ``1e+06``, ``+Inf``."""
    if abs(value) == inf:
        return "+Inf" if value > 0 else "-Inf"
    if not value:
        return "0"
    mantissa, _, exponent = repr(value).partition("e")  # the fewest digits that are this number
    if exponent:
        return f"{mantissa}e{int(exponent):+03d}"
    whole, _, fraction = mantissa.partition(".")
    sign = "-" if value < 0 else ""
    whole = whole.lstrip("-")
    if len(whole) <= _FIXED_DIGITS:
        return mantissa.removesuffix(".0")
    digits = (whole + fraction).rstrip("0")
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e{len(whole) - 1:+03d}"


def _count(value: float) -> float | None:
    """Return the whole number of a count, ``None`` where it can be none."""
    return float(int(value)) if 0 <= value < _TOO_LARGE_COUNT else None


def _shown(text: bytes) -> str:
    return repr(text[:40])[1:]
