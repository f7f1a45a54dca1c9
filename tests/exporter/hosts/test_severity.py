"""The table of thresholds, at each of its boundaries, and the worst of several severities."""

from math import inf, nan, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.severity import (
    CHECKS,
    CRITICAL,
    DEFAULTS,
    OK,
    RANKS,
    REASONS,
    SEVERITIES,
    WARNING,
    Check,
    Severity,
    Thresholds,
    counts_from,
    level,
    reached,
    worst_of,
)

IDS = [check.id for check in CHECKS]

severities = st.sampled_from(SEVERITIES)
checks = st.sampled_from(CHECKS)
values = st.floats(0, 1e6)


def thresholds_of(check: Check) -> list[tuple[Severity, float]]:
    """Return the thresholds that a check has, with the severity of each."""
    pairs = zip((WARNING, CRITICAL), check.default, strict=True)
    return [(severity, value) for severity, value in pairs if value < inf]


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_value_has_a_severity_from_its_threshold_on(check: Check) -> None:
    below = OK
    for severity, threshold in thresholds_of(check):
        assert level(check, check.default, nextafter(threshold, 0)) is below
        assert level(check, check.default, threshold) is severity
        assert reached(check.default, severity) == threshold
        below = severity
    assert level(check, check.default, 1e9) is below


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_severity_stays_until_the_value_is_lower_by_the_margin(check: Check) -> None:
    below = OK
    for severity, threshold in thresholds_of(check):
        least = threshold * (1 - check.margin)
        assert level(check, check.default, least, severity) is severity
        assert level(check, check.default, nextafter(least, 0), severity) is below
        below = severity


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_unknown_value_is_ok(check: Check) -> None:
    assert [level(check, check.default, nan, before) for before in SEVERITIES] == [OK] * 3


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_check_that_is_off_finds_nothing(check: Check) -> None:
    assert counts_from(check, Thresholds()) == inf
    assert level(check, Thresholds(), 1e300, CRITICAL) is OK


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_warning_is_the_lower_threshold_and_both_can_be_cleared(check: Check) -> None:
    warning, critical = check.default
    assert 0 < warning < critical
    assert 0 <= check.margin < 1
    assert counts_from(check, check.default) > 0


def test_identifiers_are_unique_and_each_has_thresholds() -> None:
    assert len({*REASONS}) == len(REASONS)
    assert [*DEFAULTS] == IDS


@given(checks, values, values, severities)
def test_greater_value_is_never_less_urgent(
    check: Check, one: float, other: float, before: Severity
) -> None:
    low, high = sorted((one, other))
    ranks = [RANKS[level(check, check.default, each, before)] for each in (low, high)]
    assert ranks == sorted(ranks)


@given(checks, values, severities)
def test_severity_is_settled_after_one_report(check: Check, value: float, before: Severity) -> None:
    first = level(check, check.default, value, before)
    assert level(check, check.default, value, first) is first


@given(checks, values, severities)
def test_what_does_not_count_is_ok_whatever_it_was(
    check: Check, value: float, before: Severity
) -> None:
    if value < counts_from(check, check.default):
        assert level(check, check.default, value, before) is OK


@given(st.lists(severities))
def test_worst_of_severities_is_one_of_them_and_none_is_worse(found: list[Severity]) -> None:
    worst = worst_of(found)
    assert worst in (found or [OK])
    assert all(RANKS[each] <= RANKS[worst] for each in found)


@given(st.lists(severities), severities)
def test_one_more_reason_never_makes_a_host_less_urgent(
    found: list[Severity], more: Severity
) -> None:
    assert RANKS[worst_of([*found, more])] == max(RANKS[worst_of(found)], RANKS[more])


def test_value_in_words_has_its_unit() -> None:
    texts = {check.id: check.text("S", check.default.warning) for check in CHECKS}
    assert texts == {
        "disk": "disk S 90 % used",
        "inodes": "inodes of S 90 % used",
        "memory": "memory 90 % used",
        "swap": "swap 80 % used",
        "loss": "5 % of datagrams lost in 10 min",
        "clock": "clock 5 s S",
        "temperature": "temperature S 95 % of critical",
        "device_errors": "1 filesystem with device errors: S",
        "collectors": "1 collector failing: S",
        "services": "1 service failed: S",
    }
    disk, collectors = CHECKS[0], CHECKS[IDS.index("collectors")]
    assert disk.text("/var/lib/data", 0.985) == "disk /var/lib/data 98.5 % used"
    assert collectors.value_text(2) == "2 collectors"
    assert disk.text("{value} {0} %s", 0.9) == "disk {value} {0} %s 90 % used"
