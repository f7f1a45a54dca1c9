"""Bodies of HTTP requests with datagrams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_wire.framing import MAX_BODY_BYTES, MAX_DATAGRAMS, bodies, framed, unframed
from pombo_wire.limits import MAX_DATAGRAM_BYTES

DATAGRAMS = st.lists(st.binary(max_size=MAX_DATAGRAM_BYTES), min_size=1, max_size=MAX_DATAGRAMS)


@given(DATAGRAMS)
def test_datagrams_of_a_body_are_read_as_they_were_written(datagrams: list[bytes]) -> None:
    assert unframed(framed(datagrams)) == datagrams


def test_length_has_two_bytes_the_high_one_first() -> None:
    assert framed([b"a" * 258, b""]) == b"\x01\x02" + b"a" * 258 + b"\0\0"


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (b"", "no datagram"),
        (b"\0", "datagram 0 is longer"),
        (b"\0\1", "datagram 0 is longer"),
        (b"\0\1a\0", "datagram 1 is longer"),
        (b"\0\1a\xff\xffb", "datagram 1 is longer"),
        (framed([b"a"] * (MAX_DATAGRAMS + 1)), "more than 64"),
    ],
)
def test_wrong_body_is_refused_with_a_remedy(body: bytes, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        unframed(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_body_or_refused(body: bytes) -> None:
    try:
        found = unframed(body)
    except ValueError:
        return
    assert framed(found) == body


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(1, 1200, [1]), (64, 100, [64]), (65, 100, [64, 1]), (256, 1200, [54, 54, 54, 54, 40])],
)
def test_report_has_as_few_bodies_as_the_bounds_allow(
    count: int, size: int, expected: list[int]
) -> None:
    datagrams = [number.to_bytes(2, "big").ljust(size) for number in range(count)]
    found = [*bodies(datagrams)]
    assert [len(unframed(body)) for body in found] == expected
    assert max(map(len, found)) <= MAX_BODY_BYTES
    assert [each for body in found for each in unframed(body)] == datagrams
    assert [*bodies([])] == []
