"""Captures that ``pombo-exporter decode`` reads, and what it prints of the datagrams in them."""

from collections.abc import Iterator
from io import BytesIO
from random import Random

import msgspec
from pombo_exporter.decode.contents import contents
from pombo_exporter.decode.payloads import CaptureError, payloads
from pombo_exporter.decode.text import text_of
from pombo_exporter.hosts.limits import AdmissionError
from pombo_wire import DecodeError
from support.builders import TABLE

from fuzz.fuzzer import Fuzzer, MutateBytes
from fuzz.lines import mutate_json
from fuzz.one_datagram import check_detail
from fuzz.seeds import captured, vectors

_CATALOG = TABLE.catalog()
_MOST_DATAGRAMS = 16


def _run(data: bytes) -> None:
    found: list[bytes] = []
    try:
        found.extend(payloads(BytesIO(data)))  # those before an error are printed
    except CaptureError as error:
        check_detail(str(error))
    for datagram in found[:_MOST_DATAGRAMS]:
        try:
            said = contents(datagram, _CATALOG)
        except (DecodeError, AdmissionError) as error:
            check_detail(str(error))
            continue
        assert msgspec.json.encode(said)
        # A terminal shows it: no letter may change what else is there.
        lines = text_of(said, len(datagram)).split("\n")
        assert [line for line in lines if not line.isprintable()] == []


def _of_tcpdump(datagram: bytes, version: int = 4) -> bytes:
    """Return a datagram as tcpdump prints it with -x."""
    udp = bytes(4) + (len(datagram) + 8).to_bytes(2, "big") + bytes(2) + datagram
    if version == 4:
        packet = b"\x45\0" + (len(udp) + 20).to_bytes(2, "big") + bytes(5) + b"\x11" + bytes(10)
    else:
        packet = b"\x60\0\0\0" + len(udp).to_bytes(2, "big") + b"\x11" + bytes(33)
    packet += udp
    lines = [b"12:00:00.5 IP%b 127.0.0.1.1 > 127.0.0.1.2: UDP" % (b"" if version == 4 else b"6")]
    for start in range(0, len(packet), 16):
        digits = packet[start : start + 16].hex(" ", -2)
        lines.append(b"\t0x%04x:  %b" % (start, digits.encode()))
    return b"\n".join(lines) + b"\n"


def _seeds() -> Iterator[bytes]:
    small = [b'{"host":"pi"}', *vectors(b"\xb0")][:8]
    yield b"".join(_of_tcpdump(each, 4 + 2 * (at % 2)) for at, each in enumerate(small))
    yield b"".join(each.hex().encode() + b"\n" for each in small)
    yield b"\n\n" + small[1].hex(" ").encode()
    yield b"".join(map(_of_tcpdump, [*captured()][:2]))
    yield from vectors(b"{")
    yield from vectors(b"\xb0")


def _mutate(data: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a capture with other bytes, other lines, or another datagram."""
    kind = random.random()
    if kind < 0.5:
        return mutate(data)
    if kind < 0.7:
        lines = data.split(b"\n")
        at, other = random.randrange(len(lines)), random.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
        del lines[random.randrange(len(lines)) : random.randrange(len(lines) + 1)]
        return b"\n".join(lines)
    return mutate_json(data, random, mutate)


FUZZER = Fuzzer(_run, _seeds, most_bytes=8192, mutate=_mutate)
