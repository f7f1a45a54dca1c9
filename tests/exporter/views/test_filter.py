"""The filter of hosts: which words match which hosts, and what is refused."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.views.filter import FilterError, matching, parse
from support.summaries import reason, summary

FLEET = (
    summary("web-1", labels={"site": "Porto", "rack": "7"}, cpu_usage_ratio=0.85),
    summary("web-10", labels={"site": "porto", "rack": "71"}, cpu_usage_ratio=0.8),
    summary(
        *("db-1", Severity.CRITICAL, [reason("down", Severity.CRITICAL)]),
        state=State.DOWN,
        last_seen_age_seconds=90.0,
        labels={"site": "faro", "room": "row 7"},
    ),
    summary(
        *("nas:5005", Severity.WARNING, [reason("disk", Severity.WARNING, "/srv")]),
        network_receive_bytes_per_second=3 * 2.0**20,
        uptime_seconds=60.0,
        clock_offset_seconds=-97.0,
    ),
)


def found(text: str, hosts: Sequence[Any] = FLEET) -> list[str]:
    return [host.name for host in matching(hosts, text)]


ALL = found("")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web", ["web-1", "web-10"]),
        ("WEB-10", ["web-10"]),
        ("web 71", ["web-10"]),
        ("site=porto", ["web-1", "web-10"]),
        ("rack=7", ["web-1"]),
        ("SITE=PORTO -rack=71", ["web-1"]),
        ("site=porto site=faro", []),
        ("porto", ["web-1", "web-10"]),
        ("-web -nas", ["db-1"]),
        ("state:down", ["db-1"]),
        ("-state:down", ["web-1", "web-10", "nas:5005"]),
        ("state:d", ["db-1"]),
        ("severity:warning", ["nas:5005"]),
        ("reason:disk", ["nas:5005"]),
        ("name:web-10", ["web-10"]),
        ("agent:9", []),
        ("agent:0.1 web-10", ["web-10"]),
        ("nas:5005", ["nas:5005"]),
        ("cpu>80", ["web-1"]),
        ("cpu>=80%", ["web-1", "web-10"]),
        ("cpu<84 web", ["web-10"]),
        ("-cpu>80", ["web-10", "db-1", "nas:5005"]),
        ("seen>1m", ["db-1"]),
        ("network>2MiB", ["nas:5005"]),
        ("net>2m/s", ["nas:5005"]),
        ("uptime<1h", ["nas:5005"]),
        ("clock>5s", ["nas:5005"]),
        ('room="row 7"', ["db-1"]),
        ('"row 7"', ["db-1"]),
        ('"row 7', ["db-1"]),
        ('"cpu>80"', []),
        ("-", ["web-1", "web-10", "db-1"]),
        ("   ", ALL),
    ],
)
def test_all_words_must_match(text: str, names: list[str]) -> None:
    assert found(text) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpu>", "'cpu>': write a number after >: cpu>80"),
        ("seen>3y", "write a number after >: seen>30s"),
        ("network<=1e99", "write a number after <=: network<=1MiB"),
        ("heat>3", "'heat>3': heat is no number: write one of cpu, memory, disk"),
        ("web state:dwn", "'state:dwn': there is no such state: write one of live, late, down"),
        ("-severity:bad", "there is no such severity: write one of ok, warning, critical"),
    ],
)
def test_word_that_says_nothing_is_an_error_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert message in str(caught.value)


WORDS = st.sampled_from(
    ["cpu>80", "-", '"', "state:", "site=porto", "web", "<", "=", " ", ":", "seen<", "9", "\x00"]
)


@given(st.lists(WORDS | st.text(max_size=5)).map("".join))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    try:
        names = found(text)
    except FilterError as error:
        assert str(error)  # noqa: PT017 - either of both
    else:
        assert set(names) <= set(ALL)


@given(st.sampled_from(["web", "site=porto", "cpu>80", "state:down", "rack", "seen<1m"]))
def test_minus_excludes_what_the_word_finds(word: str) -> None:
    assert sorted(found(word) + found(f"-{word}")) == sorted(ALL)
