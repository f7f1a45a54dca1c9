"""Asks the kernel by netlink what it has no file for: routes, addresses, sockets, WiFi.

It reads dumps, and nothing else. A library for netlink takes more memory than the agent may have.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator

#: Protocols of netlink.
ROUTE, SOCK_DIAG, GENERIC = 0, 4, 16

_MESSAGE = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ERRNO = struct.Struct("=i")
_ERROR, _DONE, _OTHERS = 2, 3, 16  # types of messages; those of the protocol are not smaller
_REQUEST_DUMP = 0x301
_TYPE = 0x3FFF  # without the flags of nested attributes and of their byte order
_RECEIVED_BYTES = 65536  # the kernel sends at most half of it at once
_SECONDS = 1.0


def dump(protocol: int, kind: int, body: bytes) -> Iterator[bytes]:
    """Yield the bodies of the messages by which the kernel answers a request of a kind.

    It is that of the network namespace of this process.

    Raises:
        OSError: when the kernel refuses the request; FileNotFoundError when it lacks the subject.
        ValueError: when a message has a wrong length.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.send(_MESSAGE.pack(_MESSAGE.size + len(body), kind, _REQUEST_DUMP, 1, 0) + body)
        while True:
            for found, answer in messages(kernel.recv(_RECEIVED_BYTES)):
                if found in {_ERROR, _DONE}:
                    _raise_error(answer)
                    return
                if found >= _OTHERS:
                    yield answer


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the body of each of the messages that were received at once."""
    return _parts(data, _MESSAGE)


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the contents of attributes by type."""
    return {kind & _TYPE: content for kind, content in _parts(data, _ATTRIBUTE)}


def attribute(kind: int, content: bytes) -> bytes:
    """Return an attribute of a request."""
    length = _ATTRIBUTE.size + len(content)
    return _ATTRIBUTE.pack(length, kind) + content + bytes(-length % 4)


def number(content: bytes) -> int:
    """Return the unsigned number that an attribute consists of."""
    return int.from_bytes(content, sys.byteorder)


def text(content: bytes) -> bytes:
    """Return the text of an attribute, which a NUL ends."""
    return content.partition(b"\0")[0]


def _parts(data: bytes, header: struct.Struct) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + header.size <= len(data):
        length, kind, *_ = header.unpack_from(data, at)
        if not header.size <= length <= len(data) - at:
            raise ValueError("a message of netlink has a wrong length")
        yield kind, data[at + header.size : at + length]
        at += length + -length % 4


def _raise_error(answer: bytes) -> None:
    """Raise OSError when the last message of a dump has an error."""
    code = -_ERRNO.unpack_from(answer)[0] if len(answer) >= _ERRNO.size else 0
    if code > 0:
        raise OSError(code, os.strerror(code))
