"""Changes of JSON that leave it JSON: most changed bytes would be refused before they say anything.

Everything is drawn from a ``Random``, so the same seed makes the same change.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from pombo_wire import MAPS, SECTIONS
from pombo_wire.schema import Extra, Header

NUMBERS: tuple[Any, ...] = (
    *(0, 1, 2, 7, 60, 3600, 3601, -1, 255, 256, 1024),
    *(2**31, 2**48 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**20),
    *(0.1, 0.5, -0.0, 1e-7, 5e-324, 1e23, 1e308, 1.7976931348623157e308),
)

TEXTS = (
    *("", "a", "b", "pi", "nas", "0", "1", "+Inf", "NaN", "0.5", "*", "_", "x" * 64, "x" * 256),
    *("\n", "\\", '"', "\0", "\x7f", "\u202e", "\ud800", "🕊", "é", " ", "\t", "#", "{}"),
    *("le", "quantile", "instance", "job", "system", "up", "host_x", "pombo_x", "node_load1"),
    *("f", "f_a", "f_*", "*_a", "*", "f_total", "f_sum", "f_count", "f_bucket", "newer"),
    *("gauge", "counter", "untyped", "histogram", "summary", "eth0", "lo", "sda", "/"),
)

#: Names that mean something somewhere in a datagram.
KEYS = (
    *Header.__struct_fields__,
    *("type", "help", "labels", "values", "absent", "columns", "gauges", "families"),
    *SECTIONS,
    *MAPS,
    *Extra.__struct_fields__,
    *(name for kind in SECTIONS.values() for name in kind.__struct_fields__),
)

_MOST_ITEMS = 64  # of what a mutation makes longer at once

#: A container, and the key or index of a value in it.
_Place = tuple[Any, Any]


def dumps(value: Any, random: Random | None = None) -> bytes:
    """Return compact JSON; with ``random``, sometimes with escapes."""
    is_ascii = random is not None and random.random() < 0.1
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=is_ascii)
    return text.encode(errors="surrogatepass")


def mutated(value: Any, random: Random) -> Any:
    """Return a JSON value with one change or some, often deep inside; ``value`` may change."""
    holder = [value]
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = [*_places(holder)]
        container, key = random.choice(places)
        random.choice(_CHANGES)(container, key, random, places)
        if not holder:
            return None
    return holder[0]


def _places(container: Any) -> Iterator[_Place]:
    keys = [*container] if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], (dict, list)):
            yield from _places(container[key])


def _other(random: Random) -> Any:
    """Return any value."""
    simple = random.choice(NUMBERS), random.choice(TEXTS), None, True, False
    return random.choice((*simple, [], {}, [random.choice(simple)], {random.choice(TEXTS): 1}))


def _replace(container: Any, key: Any, random: Random, _: list[_Place]) -> None:
    old = container[key]
    if isinstance(old, bool) or old is None or random.random() < 0.15:
        container[key] = _other(random)
    elif isinstance(old, str):
        container[key] = random.choice(TEXTS)
    elif isinstance(old, (int, float)):
        container[key] = random.choice(NUMBERS)
    else:
        container[key] = _other(random)


def _tweak(container: Any, key: Any, random: Random, _: list[_Place]) -> None:
    old = container[key]
    if isinstance(old, bool) or old is None:
        container[key] = not old
    elif isinstance(old, (int, float)):
        container[key] = random.choice((old + 1, old - 1, old * 2, -old, old + 0.5))
    elif isinstance(old, str):
        at = random.randint(0, len(old))
        container[key] = random.choice(
            (old[:at], old[at:], old[:at] + random.choice(TEXTS) + old[at:], old * 2)
        )[:1024]
    elif isinstance(old, list):
        random.shuffle(old)
    else:
        container[key] = dict(random.sample([*old.items()], len(old)))


def _delete(container: Any, key: Any, _: Random, __: list[_Place]) -> None:
    del container[key]


def _copy(container: Any, key: Any, random: Random, places: list[_Place]) -> None:
    """Put a copy of a value into this or another container."""
    copied = json.loads(json.dumps(container[key]))
    into, at = random.choice((random.choice(places), (container, key)))
    if isinstance(into, dict):
        into[random.choice((random.choice(KEYS), random.choice(TEXTS)))] = copied
    elif into:
        into.insert(at, copied)


def _swap(container: Any, key: Any, random: Random, places: list[_Place]) -> None:
    other, at = random.choice(places)
    one, two = json.dumps(container[key]), json.dumps(other[at])
    container[key], other[at] = json.loads(two), json.loads(one)


def _rename(container: Any, key: Any, random: Random, _: list[_Place]) -> None:
    if isinstance(container, dict):
        name = random.choice((random.choice(KEYS), random.choice(TEXTS)))
        renamed = {name if each == key else each: value for each, value in container.items()}
        container.clear()
        container.update(renamed)


def _grow(container: Any, key: Any, random: Random, _: list[_Place]) -> None:
    old = container[key]
    if isinstance(old, list) and old:
        count = random.randint(1, _MOST_ITEMS)
        last = json.dumps(old[-1])
        if isinstance(old[-1], str):
            old.extend(f"{old[-1]}{number}" for number in range(count))
        else:
            old.extend(json.loads(last) for _ in range(count))
    elif isinstance(old, list):
        old.append(_other(random))
    elif isinstance(old, dict):
        old[random.choice(KEYS)] = _other(random)


_CHANGES = (_replace, _replace, _tweak, _tweak, _delete, _copy, _swap, _rename, _grow)
