"""Which servers a host prefers: published values, few moves, even shares."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from pombo_wire.rendezvous import order, weight

VECTORS = json.loads(
    (Path(__file__).parents[2] / "docs/wire-vectors/rendezvous.json").read_text(encoding="utf-8")
)
HOSTS = [f"host-{number:05}.example.org" for number in range(10_000)]
THREE = ["pombo-0.example.org:5005", "pombo-1.example.org:5005", "pombo-2.example.org:5005"]
FOURTH = "pombo-3.example.org:5005"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["host"])
def test_published_values_are_those_of_the_function(vector: dict[str, str | list[str]]) -> None:
    host, servers = str(vector["host"]), list(vector["order"])
    assert [f"{weight(host, each):016x}" for each in servers] == vector["weights"]
    assert order(host, reversed(servers)) == servers


def test_weight_is_the_beginning_of_sha256_over_both_texts_with_their_lengths() -> None:
    whole = sha256(b"\0\x0bserver:5005\0\x05web-1").hexdigest()
    assert f"{weight('web-1', 'server:5005'):016x}" == whole[:16]


def test_a_fourth_server_takes_a_quarter_and_nobody_else_moves() -> None:
    before = {host: order(host, THREE) for host in HOSTS}
    after = {host: order(host, [FOURTH, *THREE]) for host in HOSTS}
    moved = [host for host in HOSTS if before[host][0] != after[host][0]]
    assert 0.23 * len(HOSTS) < len(moved) <= 0.27 * len(HOSTS)
    assert {after[host][0] for host in moved} == {FOURTH}
    assert all([each for each in after[host] if each != FOURTH] == before[host] for host in HOSTS)


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_server_that_is_removed_moves_only_its_own_hosts(replicas: int) -> None:
    for gone in THREE:
        for host in HOSTS:
            before = order(host, THREE)[:replicas]
            after = order(host, set(THREE) - {gone})[:replicas]
            assert gone in before or after == before
            assert set(before) - {gone} <= set(after)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("servers", [THREE, ["10.0.0.1:5005", "10.0.0.2:5005", "10.0.0.3:5005"]])
def test_each_server_has_its_share_of_hosts_at_every_place_to_five_percent(
    place: int, servers: list[str]
) -> None:
    shares = Counter(order(host, servers)[place] for host in HOSTS)
    mean = len(HOSTS) / len(servers)
    assert all(0.95 * mean < shares[server] < 1.05 * mean for server in servers)


def test_order_depends_neither_on_the_order_nor_on_repeats() -> None:
    assert order("web-1", [*THREE, *reversed(THREE)]) == order("web-1", THREE)
    assert sorted(order("web-1", THREE)) == THREE
    assert order("web-1", []) == []


def test_texts_that_join_to_the_same_characters_have_other_weights() -> None:
    assert weight("1.example", "pombo-") != weight(".example", "pombo-1")


def test_a_text_that_is_too_long_is_refused_with_its_length() -> None:
    assert order("a" * 65_535, THREE)
    with pytest.raises(ValueError, match="65536 bytes"):
        order("a" * 65_536, THREE)
