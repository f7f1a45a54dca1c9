r"""The filter of hosts: words that must all match.

A word is one of:

- a part of the host's name, of a label's value, or of ``label=value``;
- ``label=value``: a label that has exactly this value;
- ``state:down``, ``severity:warning``, ``reason:disk``: a field and the begin of its value;
- ``name:web``, ``agent:0.1``: a field and any part of its value;
- ``cpu>80``, ``memory>=90``, ``seen>30s``, ``network>1M``: a number and a bound.

``-`` before a word excludes what it matches. A word in quotes may contain spaces, and ``\"`` for a
quotation mark. Case does not matter. ``page/filter.js`` has the same rules for the status page.
"""

import re
from collections.abc import Callable, Iterable
from operator import ge, gt, le, lt
from typing import Final

from pombo_cli.human import printable

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import REASONS, SEVERITIES
from pombo_exporter.views.schema import HostSummary

#: Returns whether a host is shown.
Predicate = Callable[[HostSummary], bool]

#: The most words of a filter, which bounds what a request costs for each host.
MOST_WORDS: Final = 32

_WORD: Final = re.compile(r'(?:"(?:\\["\\]|[^"])*"?|[^ \t\r\n"])+')
_QUOTED: Final = re.compile(r'"((?:\\["\\]|[^"])*)"?')
_ESCAPED: Final = re.compile(r'\\(["\\])')
_COMPARISON: Final = re.compile(r"([a-z]+)(>=|<=|>|<)(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})([a-z%/]*)")
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": ge,
    "<=": le,
    ">": gt,
    "<": lt,
}

_SHARES: Final = {"": 0.01, "%": 0.01}
_SPANS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SPEEDS: Final = {
    "": 1.0,
    "b": 1.0,
    **{
        prefix + unit: 1024.0**power
        for power, prefix in enumerate("kmgt", 1)
        for unit in ("", "b", "ib")
    },
}
#: A number with a unit, for errors.
_EXAMPLES: Final = ((_SHARES, "80"), (_SPANS, "30s"), (_SPEEDS, "1MiB"))

_Number = Callable[[HostSummary], float | None]


class FilterError(ValueError):
    """A word of a filter that says nothing; ``str()`` is the reason and the remedy."""


def traffic(host: HostSummary) -> float | None:
    """Return what a host receives and transmits, in bytes a second; None if neither is known."""
    both = host.network_receive_bytes_per_second, host.network_transmit_bytes_per_second
    known = [value for value in both if value is not None]
    return sum(known) if known else None


def fullest_ratio(host: HostSummary) -> float | None:
    """Return how full the fullest filesystem of a host is, as a share of it."""
    found = host.fullest_filesystem
    return found.used_ratio if found else None


def _clock(host: HostSummary) -> float | None:
    return None if host.clock_offset_seconds is None else abs(host.clock_offset_seconds)


#: What is compared with a number: the value, and the factor of each unit.
_NUMBERS: Final[dict[str, tuple[_Number, dict[str, float]]]] = {
    "cpu": (lambda host: host.cpu_usage_ratio, _SHARES),
    "memory": (lambda host: host.memory_used_ratio, _SHARES),
    "disk": (fullest_ratio, _SHARES),
    "lost": (lambda host: host.datagram_loss_ratio, _SHARES),
    "network": (traffic, _SPEEDS),
    "receive": (lambda host: host.network_receive_bytes_per_second, _SPEEDS),
    "transmit": (lambda host: host.network_transmit_bytes_per_second, _SPEEDS),
    "seen": (lambda host: host.last_seen_age_seconds, _SPANS),
    "uptime": (lambda host: host.uptime_seconds, _SPANS),
    "interval": (lambda host: host.interval_seconds, _SPANS),
    "clock": (_clock, _SPANS),
}

#: Other names of the same.
_ALIASES: Final = {"mem": "memory", "loss": "lost", "net": "network"}

#: The fields that are compared with a text; of some, all values are known.
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "state": tuple(State),
    "severity": tuple(SEVERITIES),
    "reason": REASONS,
}
_FIELDS: Final = (*_VALUES, "name", "agent")

#: What may be compared with a number.
NUMBERS: Final = (*_NUMBERS,)


def parse(text: str) -> Predicate:
    """Return what decides which hosts match a filter; an empty one matches all.

    Raises:
        FilterError: when a word cannot be understood.
    """
    words = _WORD.findall(text)
    if len(words) > MOST_WORDS:
        raise FilterError(f"the filter has {len(words)} words: write at most {MOST_WORDS}")
    found = [_word(word) for word in words]
    return lambda host: all(predicate(host) for predicate in found)


def matching(hosts: Iterable[HostSummary], text: str) -> list[HostSummary]:
    """Return the hosts that match a filter.

    Raises:
        FilterError: when a word of it cannot be understood.
    """
    predicate = parse(text)
    return [host for host in hosts if predicate(host)]


def _word(written: str) -> Predicate:
    if written.startswith("-") and len(written) > 1:
        positive = _positive(written[1:])
        return lambda host: not positive(host)
    return _positive(written)


def _positive(written: str) -> Predicate:
    # As JavaScript does it, and not ``casefold``: both have the same answers.
    word = _QUOTED.sub(lambda found: _ESCAPED.sub(r"\1", found[1]), written).lower()
    if written.startswith('"'):  # in quotes it is a text, whatever is in it
        return _part(word)
    if comparison := _COMPARISON.fullmatch(word):
        name, operator, number = comparison.groups()
        return _comparison(word, name, operator, number)
    field, colon, value = word.partition(":")
    if colon and field in _FIELDS:
        return _field(field, value)
    label, equals, value = word.partition("=")
    if equals and label:
        return _label(word, label, value)
    return _part(word)


def _comparison(word: str, written: str, operator: str, number: str) -> Predicate:
    name = _ALIASES.get(written, written)
    if name not in _NUMBERS:
        remedy = f"write one of {', '.join(NUMBERS)}"
        raise FilterError(f"'{printable(word)}': {written} is no number: {remedy}")
    value, units = _NUMBERS[name]
    parts = _NUMBER.fullmatch(number)
    unit = parts[2].removesuffix("/s") if parts else ""
    if not parts or unit not in units:
        example = next(each for known, each in _EXAMPLES if known is units)
        remedy = f"write a number after {operator}: {name}{operator}{example}"
        raise FilterError(f"'{printable(word)}': {remedy}")
    bound, compare = float(parts[1]) * units[unit], _OPERATORS[operator]

    def is_so(host: HostSummary) -> bool:
        found = value(host)
        return found is not None and compare(found, bound)

    return is_so


def _field(name: str, value: str) -> Predicate:
    known = _VALUES.get(name)
    if known and not any(each.startswith(value) for each in known):
        remedy = f"write one of {', '.join(known)}"
        raise FilterError(f"'{name}:{printable(value)}': there is no such {name}: {remedy}")
    if name == "state":
        return lambda host: host.state.startswith(value)
    if name == "severity":
        return lambda host: host.severity.startswith(value)
    if name == "reason":
        return lambda host: any(reason.id.startswith(value) for reason in host.reasons)
    if name == "agent":
        return lambda host: value in host.agent_version.lower()
    return lambda host: value in host.name.lower()


def _label(word: str, label: str, value: str) -> Predicate:
    def has(host: HostSummary) -> bool:
        return word in host.name.lower() or any(
            name.lower() == label and found.lower() == value for name, found in host.labels.items()
        )

    return has


def _part(word: str) -> Predicate:
    def has(host: HostSummary) -> bool:
        return word in host.name.lower() or any(
            word in f"{name}={value}".lower() for name, value in host.labels.items()
        )

    return has
