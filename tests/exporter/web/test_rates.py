"""Token buckets: how often something may happen, by who does it."""

import pytest
from pombo_exporter.web.networks import network_of
from pombo_exporter.web.rates import TokenBuckets
from support.clocks import Clock

ADDRESS = "192.0.2.1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def buckets() -> TokenBuckets:
    """Return buckets of ten tokens, with ten new ones a second."""
    return TokenBuckets(10, 0.1)


def taken(found: TokenBuckets, clock: Clock, address: str, count: int) -> int:
    return sum(not found.take(network_of(address), clock()) for _ in range(count))


def test_bucket_can_be_emptied_at_once_and_fills_again(clock: Clock) -> None:
    found = buckets()
    assert taken(found, clock, ADDRESS, 30) == 10
    assert found.take(ADDRESS, clock()) == pytest.approx(0.1)
    clock.now += 0.25
    assert taken(found, clock, ADDRESS, 30) == 2
    clock.now += 3600
    assert taken(found, clock, ADDRESS, 30) == 10


def test_take_that_is_refused_delays_no_later_one(clock: Clock) -> None:
    found = buckets()
    for _ in range(100):
        taken(found, clock, ADDRESS, 100)
        clock.now += 0.01
    sent = 0
    for _ in range(100):
        sent += taken(found, clock, ADDRESS, 100)
        clock.now += 0.01
    assert sent == pytest.approx(10, abs=1)


def test_token_that_is_given_back_can_be_taken_again(clock: Clock) -> None:
    found = buckets()
    assert taken(found, clock, ADDRESS, 30) == 10
    found.give_back(ADDRESS)
    assert taken(found, clock, ADDRESS, 30) == 1
    clock.now += 3600
    for _ in range(3):
        found.give_back(ADDRESS)  # a bucket never has more than its burst
    found.give_back("192.0.2.2")
    assert taken(found, clock, ADDRESS, 30) == 10


def test_bucket_without_tokens_has_none_ever(clock: Clock) -> None:
    found = TokenBuckets(0, 1.0)
    assert found.take("", clock()) > 0
    clock.now += 3600
    assert found.take("", clock()) > 0


@pytest.mark.parametrize(
    ("one", "other", "left"),
    [
        ("192.0.2.1", "192.0.2.2", 10),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", 10),
        ("2001:db8::1", "2001:db8::ffff:1", 0),
        ("2001:db8::1", "2001:db8:0:1::1", 10),
        ("fe80::1%eth0", "fe80::2%eth0", 0),
    ],
)
def test_addresses_have_buckets_of_their_own_and_ipv6_networks_one(
    one: str,
    other: str,
    left: int,
    clock: Clock,
) -> None:
    found = buckets()
    assert taken(found, clock, one, 20) == 10
    assert taken(found, clock, other, 20) == left


def test_many_addresses_do_not_fill_the_bucket_of_the_one_that_goes_on(clock: Clock) -> None:
    found = buckets()
    assert taken(found, clock, ADDRESS, 20) == 10
    for number in range(20_000):
        found.take(f"10.0.{number >> 8}.{number & 255}", clock())
        if number % 1000 == 0:
            assert taken(found, clock, ADDRESS, 1) == 0
