"""No datagram costs more than a bound, counted in instructions, whatever was sent before it."""

import pytest
from pombo_wire.limits import MAX_DATAGRAM_BYTES

from bench.fleets.hostile import COSTLY, FAMILIES, FLOODS
from bench.harness.callgrind import instructions
from bench.harness.search import search

#: Of one datagram, in CPython 3.11 on x86-64, where they take less than a millisecond.
CEILING = 11_000_000


@pytest.mark.slow
@pytest.mark.costs
@pytest.mark.parametrize("name", FAMILIES)
def test_instructions_of_the_costliest_datagrams_are_bounded(name: str) -> None:
    counts, _ = instructions("-m", "bench.programs.hostile_work", name)
    of_attacks = counts[::2]
    assert len(of_attacks) == len(COSTLY[name]) > 0
    assert max(of_attacks) <= CEILING


def test_every_family_and_flood_makes_datagrams_that_may_be_sent() -> None:
    for name, family in FAMILIES.items():
        for params in COSTLY[name]:
            attack = family.attack(params)
            datagrams = [*attack.prepared[:2], *attack.round(7)]
            # The longest is one byte longer: so the exporter sees what was cut.
            assert all(len(datagram) <= MAX_DATAGRAM_BYTES + 1 for datagram in datagrams), name
    for name, flood in FLOODS.items():
        assert all(len(datagram) <= MAX_DATAGRAM_BYTES for datagram in flood(7)), name


def test_search_finds_the_costliest_parameters() -> None:
    # The cost is the number of bytes, which grow with two of the parameters.
    found = search(FAMILIES["own_labels"], 0.5, lambda attack: len(attack.round(0)[0]))
    assert found.tried > 10
    assert found.params["labels"] > 30
    assert found.params["text"] > 100
