"""The reader of netlink."""

import socket
import struct
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from pombo_agent.collecting import netlink

_GET_LINK = 18

Answer = Callable[..., list[bytes]]


def header(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


class Kernel:
    """A socket that receives given datagrams."""

    def __init__(self, *datagrams: bytes) -> None:
        self._datagrams = iter(datagrams)
        self.sent = b""

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def send(self, data: bytes) -> None:
        self.sent = data

    def recv(self, _size: int) -> bytes:
        return next(self._datagrams)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Return a function that takes datagrams, and returns what a dump makes of them."""

    def dump(*datagrams: bytes) -> list[bytes]:
        monkeypatch.setattr(socket, "socket", lambda *_: nullcontext(Kernel(*datagrams)))
        return [*netlink.dump(netlink.ROUTE, _GET_LINK, b"")]

    return dump


def test_dump_ends_at_its_last_message(answer: Answer) -> None:
    first, second = header(16, b"one!"), header(16, b"odd") + b"\0" + header(16, b"three")
    done = header(3, struct.pack("=i", 0))
    assert answer(first, second, done, header(16, b"next")) == [b"one!", b"odd", b"three"]
    assert answer(first + header(1, b"nothing!") + done) == [b"one!"]
    assert answer(header(3, b"")) == []


def test_error_of_the_kernel_is_raised(answer: Answer) -> None:
    with pytest.raises(PermissionError):
        answer(header(2, struct.pack("=i", -1)))
    with pytest.raises(FileNotFoundError):
        answer(header(16, b"one!"), header(3, struct.pack("=i", -2)))


@pytest.mark.parametrize("length", [0, 15, 21])
def test_message_of_a_wrong_length_is_an_error(answer: Answer, length: int) -> None:
    with pytest.raises(ValueError, match="length"):
        answer(struct.pack("=IHHII", length, 16, 0, 1, 0) + b"four")


def test_attributes_are_aligned_and_lose_their_flags() -> None:
    data = netlink.attribute(1, b"odd") + netlink.attribute(0x8002, b"four") + b"\0"
    assert len(data) == 8 + 8 + 1
    assert netlink.attributes(data) == {1: b"odd", 2: b"four"}
    with pytest.raises(ValueError, match="length"):
        netlink.attributes(struct.pack("=HH", 9, 1) + b"four")


def test_numbers_and_texts_of_attributes() -> None:
    assert netlink.number(struct.pack("=I", 70000)) == 70000
    assert netlink.number(b"") == 0
    assert netlink.text(b"lo\0") == b"lo"


def test_kernel_answers_with_the_interfaces_of_this_machine() -> None:
    names = [
        netlink.text(netlink.attributes(link[16:])[3]).decode()
        for link in netlink.dump(netlink.ROUTE, _GET_LINK, bytes(16))
    ]
    assert sorted(names) == sorted(name for _, name in socket.if_nameindex())


def test_unknown_request_is_an_error() -> None:
    with pytest.raises(OSError, match="not supported"):
        [*netlink.dump(netlink.ROUTE, 16 + 4 * 250 + 2, bytes(16))]
