"""Datagrams out of a capture: raw bytes, lines of hexadecimal digits, or what tcpdump prints."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

_HEX: Final = re.compile(rb"(?:[0-9a-fA-F]{2}[ :]?)+")
_PACKET: Final = re.compile(rb"\bIP6? ")  # tcpdump's line about a packet; its bytes follow
_BYTES: Final = re.compile(rb"\s+0x[0-9a-f]{4}:  (.{1,39})", re.DOTALL)
_IPV4_HEADER: Final = 20  # bytes at least
_IPV6_HEADER: Final = 40  # bytes
_UDP: Final = 17  # the number of the protocol
_UDP_HEADER: Final = 8  # bytes


class CaptureError(ValueError):
    """A capture has something else than datagrams; ``str()`` says where, and the remedy."""


def payloads(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield each datagram of a capture. What it has is seen in its first line that is not blank.

    Raises:
        CaptureError: when a line is no datagram, or a datagram is incomplete.
    """
    lines = iter(lines)
    start: list[bytes] = []
    for line in lines:
        start.append(line)
        if line.strip():
            break
    else:
        return
    first, whole = start[-1], chain(start, lines)
    if _HEX.fullmatch(first.strip()):
        yield from _hexadecimal(whole)
    elif first.isascii() and _PACKET.search(first) and not first.lstrip().startswith(b"{"):
        yield from _tcpdump(whole)
    else:
        yield b"".join(whole)


def _hexadecimal(lines: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines, 1):
        digits = re.sub(rb"[ :]", b"", line.strip())
        if not digits:
            continue
        try:
            yield bytes.fromhex(digits.decode())
        except ValueError:
            detail = f"line {number}: write each datagram as hexadecimal digits on one line"
            raise CaptureError(detail) from None


def _tcpdump(lines: Iterable[bytes]) -> Iterator[bytes]:
    packet = bytearray()
    for number, line in enumerate(lines, 1):
        match = _BYTES.match(line)
        if match:
            # With -X, letters follow the 39 columns of digits.
            try:
                packet += bytes.fromhex(match[1].decode(errors="replace"))
            except ValueError:
                detail = f"line {number}: no hexadecimal digits: capture with tcpdump -x or -X"
                raise CaptureError(detail) from None
        # A live capture goes on after a packet, so its length says where it ends.
        if packet and (not match or len(packet) >= _length(packet)):
            yield from _of_udp(bytes(packet))
            packet.clear()
    if packet:
        yield from _of_udp(bytes(packet))


def _length(packet: bytes | bytearray) -> int:
    """Return the length of an IP packet, by its header."""
    if packet[0] >> 4 == 6:
        return _IPV6_HEADER + int.from_bytes(packet[4:6])
    return int.from_bytes(packet[2:4])


def _of_udp(packet: bytes) -> Iterator[bytes]:
    """Yield the payload of an IP packet, if it is one of UDP."""
    version = packet[0] >> 4
    if version not in (4, 6):
        raise CaptureError("no IP packet: capture with tcpdump -x, without link-level headers")
    if len(packet) < _length(packet) or len(packet) < _IPV4_HEADER:
        raise CaptureError("a packet is incomplete: capture with tcpdump -s 0")
    protocol = packet[6] if version == 6 else packet[9]
    if protocol == _UDP:
        start = _IPV6_HEADER if version == 6 else (packet[0] & 0xF) * 4
        yield packet[start + _UDP_HEADER : _length(packet)]
