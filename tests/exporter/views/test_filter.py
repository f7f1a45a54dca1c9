"""The filter of hosts: which words match which hosts, and what is refused."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.views.filter import FilterError, matching, parse
from support.filters import FLEET, FOUND, WRONG


def found(text: str, hosts: Sequence[Any] = FLEET) -> list[str]:
    return [host.name for host in matching(hosts, text)]


ALL = found("")


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_all_words_must_match(text: str, names: list[str]) -> None:
    assert found(text) == names


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_word_that_says_nothing_is_an_error_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert str(caught.value) == message


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
