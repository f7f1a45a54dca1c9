"""The lines of packed datagrams: how they are made, opened again and changed."""

import json
from random import Random
from typing import Any

from pombo_wire import DecodeError
from pombo_wire.forms import deflated
from pombo_wire.reading import inflate

from fuzz.fuzzer import MutateBytes
from fuzz.json_mutations import NUMBERS, dumps, mutated

_MOST_NUMBERS = 4096
_FIT = 0.8  # of the changed lines, those whose numbers are then made as many as their cells


def mutate_packed(datagram: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a packed datagram whose lines resemble those of another, or other bytes."""
    if random.random() < 0.05:
        return mutate(datagram)
    try:
        lines = inflate(datagram)
    except DecodeError:
        return mutate(datagram)
    changed = b"\n".join(mutate_lines(lines.split(b"\n"), random, mutate))
    return datagram[:1] + datagram[1:2] + deflated(changed)[2:]


def mutate_lines(lines: list[bytes], random: Random, mutate: MutateBytes) -> list[bytes]:
    """Return header, layout, numbers and perhaps a fourth line with a change in one of them."""
    lines = [*lines]
    kind = random.random()
    if kind < 0.05:
        random.shuffle(lines)
    elif kind < 0.1:
        lines.insert(random.randint(0, len(lines)), random.choice((b"{}", b"[]", b"", *lines)))
    else:
        # The layout says most.
        weights = (2, 6, 1, *(2,) * len(lines))[: len(lines)]
        at = random.choices(range(len(lines)), weights)[0]
        lines[at] = mutate_json(lines[at], random, mutate)
    if len(lines) > 2 and random.random() < _FIT:
        lines[2] = fitted(lines[1], lines[2], random)
    return lines


def mutate_json(text: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a JSON text with a change; other bytes where it is none."""
    if random.random() < 0.05:
        return mutate(text)
    try:
        return dumps(mutated(json.loads(text), random), random)
    except (ValueError, RecursionError):
        return mutate(text)


def fitted(layout: bytes, numbers: bytes, random: Random) -> bytes:
    """Return as many numbers as a layout has cells, if it is one."""
    try:
        count, found = cells_of(json.loads(layout)), json.loads(numbers)
    except (ValueError, RecursionError):
        return numbers
    if not isinstance(found, list) or count is None or count == len(found):
        return numbers
    while len(found) < min(count, _MOST_NUMBERS):
        found.append(random.choice((1, 1, 2, None, random.choice(NUMBERS))))
    return dumps(found[:count])


def cells_of(layout: Any) -> int | None:
    """Return how many numbers a layout needs; None where that cannot be said."""
    if not isinstance(layout, dict):
        return None
    count = 0
    for name, member in layout.items():
        if name == "labels" or not isinstance(member, dict):
            continue
        rows, columns, absent = 1, member.get("values", []), member.get("absent", [])
        labels = member.get("labels")
        if isinstance(labels, dict) and labels:
            first = next(iter(labels.values()))
            rows = len(first) if isinstance(first, list) else 1
        width = len(columns) if isinstance(columns, list) else 0
        if member.get("type") and "*" not in name:
            width = 1
        count += rows * width - (len(absent) if isinstance(absent, list) else 0)
    return max(0, count)
