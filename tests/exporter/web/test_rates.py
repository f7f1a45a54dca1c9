"""How many requests an address may send."""

import pytest
from pombo_exporter.web.rates import RequestRates
from support.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def allowed(rates: RequestRates, address: str, count: int) -> int:
    return sum(not rates.seconds_until_allowed(address) for _ in range(count))


def test_address_may_send_the_requests_of_a_second_at_once(clock: Clock) -> None:
    rates = RequestRates(10, clock)
    assert allowed(rates, "192.0.2.1", 30) == 10
    assert rates.seconds_until_allowed("192.0.2.1") == pytest.approx(0.1)
    clock.now += 0.25
    assert allowed(rates, "192.0.2.1", 30) == 2
    clock.now += 3600
    assert allowed(rates, "192.0.2.1", 30) == 10


def test_request_that_was_refused_delays_no_later_one(clock: Clock) -> None:
    rates = RequestRates(10, clock)
    for _ in range(100):
        allowed(rates, "192.0.2.1", 100)
        clock.now += 0.01
    sent = 0
    for _ in range(100):
        sent += allowed(rates, "192.0.2.1", 100)
        clock.now += 0.01
    assert sent == pytest.approx(10, abs=1)


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
def test_addresses_have_limits_of_their_own_and_ipv6_networks_one(
    one: str,
    other: str,
    left: int,
    clock: Clock,
) -> None:
    rates = RequestRates(10, clock)
    assert allowed(rates, one, 20) == 10
    assert allowed(rates, other, 20) == left


def test_many_addresses_do_not_reset_the_one_that_goes_on(clock: Clock) -> None:
    rates = RequestRates(10, clock)
    assert allowed(rates, "192.0.2.1", 20) == 10
    for number in range(20_000):
        rates.seconds_until_allowed(f"10.0.{number >> 8}.{number & 255}")
        if number % 1000 == 0:
            assert allowed(rates, "192.0.2.1", 1) == 0
