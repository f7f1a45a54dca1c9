"""Looks for the parameters of the costliest attack of a family by hill climbing."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from bench.fleets.hostile import COSTLY, Attack, Family, Params

#: What an attack costs, in some unit; higher is worse.
Cost = Callable[[Attack], float]

_KEPT: Final = 8  # of the costliest, from which a search goes on
_NEW: Final = 0.15  # of the trials, begin anywhere


@dataclass(frozen=True)
class Found:
    """The costliest of all that were tried."""

    params: Params
    cost: float
    tried: int


def search(family: Family, seconds: float, cost: Cost, seed: int = 1) -> Found:
    """Try parameters for so many seconds, first those of ``COSTLY``; return the costliest."""
    choice = random.Random(seed)  # noqa: S311 - no secret
    least = {name: each[0] for name, each in family.ranges.items()}
    first = [{**least, **params} for params in COSTLY[family.name]]
    kept: list[tuple[float, Params]] = []
    end, tried = monotonic() + seconds, 0
    while first or monotonic() < end:
        if first:
            params: Params = first.pop()
        elif len(kept) < _KEPT or choice.random() < _NEW:
            params = {name: _any(each, choice) for name, each in family.ranges.items()}
        else:
            params = _changed(choice.choice(kept)[1], family, choice)
        kept.append((cost(family.attack(params)), params))
        kept.sort(key=lambda pair: -pair[0])
        del kept[_KEPT:]
        tried += 1
    return Found(kept[0][1], kept[0][0], tried)


def _any(values: range, choice: random.Random) -> int:
    """Return any value; small ones as often as great ones, since great ones are often refused."""
    place = (
        len(values) ** choice.random() if choice.random() < 0.7 else choice.random() * len(values)
    )
    return values[min(int(place), len(values)) - 1]


def _changed(params: Params, family: Family, choice: random.Random) -> Params:
    """Return parameters of which one to three differ."""
    changed = dict(params)
    for name in choice.sample([*params], min(len(params), choice.choice((1, 1, 1, 2, 3)))):
        values, now = family.ranges[name], params[name]
        found = choice.choice(
            (
                values[0],
                values[-1],
                _any(values, choice),
                int(now * choice.uniform(0.5, 1.6)),
                now + choice.choice((-1, 1)),
            )
        )
        changed[name] = min(values[-1], max(values[0], found))
    return changed
