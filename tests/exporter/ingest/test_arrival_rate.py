"""The rate at which datagrams arrive."""

from pombo_exporter.ingest.arrival_rate import WINDOW, ArrivalRate


def test_rate_is_of_the_last_half_minute() -> None:
    rate = ArrivalRate()
    assert rate.per_second is None
    rate.sample(100.0, 50)
    assert rate.per_second is None
    rate.sample(102.0, 60)
    assert rate.per_second == 5.0
    for second in range(103, 200):
        rate.sample(float(second), 60 + 3 * (second - 102))
    assert rate.per_second == 3.0
    for second in range(200, 200 + int(WINDOW) + 2):
        rate.sample(float(second), 351)
    assert rate.per_second == 0.0


def test_busy_machine_that_samples_rarely_has_a_rate() -> None:
    rate = ArrivalRate()
    rate.sample(0.0, 0)
    rate.sample(120.0, 240)
    assert rate.per_second == 2.0


def test_samples_are_bounded() -> None:
    rate = ArrivalRate()
    for tick in range(10_000):
        rate.sample(tick / 1024, tick)
    assert rate.per_second == 1024.0
