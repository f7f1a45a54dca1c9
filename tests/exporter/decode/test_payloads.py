"""Datagrams out of captures: raw, as hexadecimal digits, or as tcpdump prints them."""

from collections.abc import Iterator

import pytest
from pombo_exporter.decode.payloads import CaptureError, payloads

#: What `tcpdump -x -n` of tcpdump 4.99.3 printed of three datagrams.
WITH_X = b"""\
20:52:38.527954 IP 127.0.0.1.46410 > 127.0.0.1.45005: UDP, length 34
\t0x0000:  4500 003e 4e3f 4000 4011 ee6d 7f00 0001
\t0x0010:  7f00 0001 b54a afcd 002a fe3d b001 839b
\t0x0020:  5a90 a954 cb55 8dab 3fad 6480 56f8 9616
\t0x0030:  a716 29c5 d6d6 7245 1bea 99c6 0200
20:52:38.527978 IP 127.0.0.1.46410 > 127.0.0.1.45005: UDP, length 13
\t0x0000:  4500 0029 4e40 4000 4011 ee81 7f00 0001
\t0x0010:  7f00 0001 b54a afcd 0015 fe28 7b22 686f
\t0x0020:  7374 223a 2270 6922 7d
20:52:38.528071 IP6 ::1.60351 > ::1.45005: UDP, length 30
\t0x0000:  6006 a441 0026 1140 0000 0000 0000 0000
\t0x0010:  0000 0000 0000 0001 0000 0000 0000 0000
\t0x0020:  0000 0000 0000 0001 ebbf afcd 0026 0039
\t0x0030:  7b22 686f 7374 223a 2270 6922 2c22 6761
\t0x0040:  7567 6573 223a 7b22 6122 3a31 7d7d
"""

#: What `tcpdump -tttt -X -v -n -i any` printed of the same datagrams.
WITH_LETTERS = rb"""2026-11-27 20:52:38.527954 lo    In  IP (tos 0x0, ttl 64, id 20031, length 62)
    127.0.0.1.46410 > 127.0.0.1.45005: UDP, length 34
	0x0000:  4500 003e 4e3f 4000 4011 ee6d 7f00 0001  E..>N?@.@..m....
	0x0010:  7f00 0001 b54a afcd 002a fe3d b001 839b  .....J...*.=....
	0x0020:  5a90 a954 cb55 8dab 3fad 6480 56f8 9616  Z..T.U..?.d.V...
	0x0030:  a716 29c5 d6d6 7245 1bea 99c6 0200       ..)...rE......
2026-11-27 20:52:38.527978 lo    In  IP (tos 0x0, ttl 64, id 20032, length 41)
    127.0.0.1.46410 > 127.0.0.1.45005: UDP, length 13
	0x0000:  4500 0029 4e40 4000 4011 ee81 7f00 0001  E..)N@@.@.......
	0x0010:  7f00 0001 b54a afcd 0015 fe28 7b22 686f  .....J.....({"ho
	0x0020:  7374 223a 2270 6922 7d                   st":"pi"}
2026-11-27 20:52:38.528071 lo    In  IP6 (payload length: 38) ::1.60351 > ::1.45005: UDP
	0x0000:  6006 a441 0026 1140 0000 0000 0000 0000  `..A.&.@........
	0x0010:  0000 0000 0000 0001 0000 0000 0000 0000  ................
	0x0020:  0000 0000 0000 0001 ebbf afcd 0026 0039  .............&.9
	0x0030:  7b22 686f 7374 223a 2270 6922 2c22 6761  {"host":"pi","ga
	0x0040:  7567 6573 223a 7b22 6122 3a31 7d7d       uges":{"a":1}}
"""

DATAGRAMS = [
    bytes.fromhex("b001839b5a90a954cb558dab3fad648056f89616a71629c5d6d672451bea99c60200"),
    b'{"host":"pi"}',
    b'{"host":"pi","gauges":{"a":1}}',
]


def read(capture: bytes) -> list[bytes]:
    return [*payloads(capture.splitlines(keepends=True))]


@pytest.mark.parametrize("datagram", [*DATAGRAMS, b'{"host":\n"pi"}\n', b"\xb0\n\n\x01", b"\xff"])
def test_raw_bytes_are_one_datagram(datagram: bytes) -> None:
    assert read(datagram) == [datagram]


def test_each_line_of_digits_is_a_datagram() -> None:
    lines = b"".join(datagram.hex().encode() + b"\r\n\n" for datagram in DATAGRAMS)
    assert read(lines) == read(lines.upper()) == DATAGRAMS
    with_signs = DATAGRAMS[0].hex(":") + "\n" + DATAGRAMS[1].hex(" ", 2) + "\n"
    assert read(with_signs.encode()) == DATAGRAMS[:2]


@pytest.mark.parametrize("line", [b"b0 01 0", b"b001xy", b'{"host":"pi"}', b"\xb0\x01"])
def test_other_line_among_lines_of_digits_is_an_error(line: bytes) -> None:
    with pytest.raises(CaptureError, match="line 2: write each datagram as hexadecimal digits"):
        read(b"7b7d\n" + line + b"\n7b7d\n")


@pytest.mark.parametrize("capture", [WITH_X, WITH_LETTERS])
def test_packets_of_tcpdump_are_datagrams(capture: bytes) -> None:
    assert read(capture) == DATAGRAMS


def test_packet_is_a_datagram_as_soon_as_it_is_complete() -> None:
    def live() -> Iterator[bytes]:
        yield from WITH_X.splitlines(keepends=True)[:5]
        raise AssertionError("the first packet is complete")

    assert next(payloads(live())) == DATAGRAMS[0]


def test_packets_of_other_protocols_are_left_out() -> None:
    icmp = WITH_X.replace(b"4e3f 4000 4011", b"4e3f 4000 4001")
    assert read(icmp) == DATAGRAMS[1:]


def test_packet_that_was_cut_is_an_error() -> None:
    lines = WITH_X.splitlines(keepends=True)
    for capture in (lines[:4], [*lines[:4], *lines[5:]], [lines[0], b"\t0x0000:  4500\n"]):
        with pytest.raises(CaptureError, match="tcpdump -s 0"):
            [*payloads(capture)]


@pytest.mark.parametrize("digits", [b"4500 00zz", b"4500 003", b"4500 \xff\xff"])
def test_line_of_a_packet_with_other_digits_is_an_error(digits: bytes) -> None:
    with pytest.raises(CaptureError, match="line 2: no hexadecimal digits"):
        read(b"20:52:38.5 IP 127.0.0.1.46410 > 127.0.0.1.45005: UDP\n\t0x0000:  %b\n" % digits)


def test_packet_with_a_link_level_header_is_an_error() -> None:
    with pytest.raises(CaptureError, match="without link-level headers"):
        read(WITH_X.replace(b"0x0000:  4500", b"0x0000:  0000 0000 0000"))


def test_no_bytes_are_no_datagram() -> None:
    assert read(b"") == []
    assert read(b"\n \n") == []


def test_blank_lines_before_the_first_datagram_do_not_matter() -> None:
    assert read(b"\n \n7b7d\n") == [b"{}"]
    assert read(b"\n" + WITH_X) == DATAGRAMS
    assert read(b'\n{"host":"pi"}') == [b'\n{"host":"pi"}']
