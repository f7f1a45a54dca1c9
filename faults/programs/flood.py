"""Sends the datagrams of a file over and over, at a pace, by ``sendmmsg``.

It runs as a process of its own. A line of the file is the name of a kind, a tab, and a datagram in
hexadecimal. It prints one line of JSON: how many datagrams of each kind were sent, and in how many
seconds.
"""

import argparse
import ctypes
import json
import os
import socket
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter, sleep

_TICK = 0.001  # seconds between two batches
_MOST = 1024  # datagrams of one call, the kernel's UIO_MAXIOV
_CATCH_UP = 0.02  # seconds: what a longer delay has missed is not sent
_SOURCES = 16  # sockets, each with a port of its own


class _Buffer(ctypes.Structure):
    """struct iovec, of uio.h."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct msghdr, recvmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("buffers", ctypes.c_void_p),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _SizedMessage(ctypes.Structure):
    """struct mmsghdr, sendmmsg(2)."""

    _fields_ = (("message", _Message), ("length", ctypes.c_uint))


class Batch:
    """Datagrams in memory, laid out as ``sendmmsg`` takes them."""

    def __init__(self, datagrams: list[bytes]) -> None:
        self._bytes = ctypes.create_string_buffer(b"".join(datagrams))
        self._buffers = (_Buffer * len(datagrams))()
        self._messages = (_SizedMessage * len(datagrams))()
        at = ctypes.addressof(self._bytes)
        for number, datagram in enumerate(datagrams):
            buffer, message = self._buffers[number], self._messages[number].message
            buffer.base, buffer.length = at, len(datagram)
            message.buffers, message.buffer_count = ctypes.addressof(buffer), 1
            at += len(datagram)
        self._size = ctypes.sizeof(_SizedMessage)
        self._start = ctypes.addressof(self._messages)
        self._call = ctypes.CDLL(None, use_errno=True).sendmmsg
        self._call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

    def send(self, sock: socket.socket, start: int, count: int) -> int:
        """Send ``count`` datagrams from ``start``; return how many the kernel has taken.

        Raises:
            OSError: when it takes none.
        """
        first = self._start + start * self._size
        taken: int = self._call(sock.fileno(), first, min(count, _MOST), 0)
        if taken < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return taken


def run(port: int, kinds: list[str], datagrams: list[bytes], rate: int, seconds: float) -> None:
    """Send at ``rate`` datagrams a second, and print what was sent."""
    batch, count = Batch(datagrams), len(datagrams)
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(_SOURCES)]
    for sock in socks:
        sock.connect(("127.0.0.1", port))
    sent = calls = skipped = 0
    start = perf_counter()
    while (now := perf_counter() - start) < seconds:
        due = int(now * rate) - sent - skipped
        skipped += max(0, due - int(_CATCH_UP * rate))
        due = min(due, int(_CATCH_UP * rate))
        while due > 0:
            at = sent % count
            taken = batch.send(socks[calls % _SOURCES], at, min(due, count - at))
            sent, calls, due = sent + taken, calls + 1, due - taken
        sleep(max(0.0, _TICK - (perf_counter() - start - now)))
    took = perf_counter() - start
    whole = Counter(kinds)
    of_kind = {kind: number * (sent // count) for kind, number in whole.items()}
    for kind, number in Counter(kinds[: sent % count]).items():
        of_kind[kind] += number
    json.dump({"sent": of_kind, "seconds": took, "skipped": skipped}, sys.stdout)


def main() -> None:
    """Send what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--rate", type=int, required=True, help="datagrams a second")
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    text = arguments.file.read_text(encoding="ascii")
    lines = [line.split("\t") for line in text.splitlines()]
    kinds, datagrams = [line[0] for line in lines], [bytes.fromhex(line[1]) for line in lines]
    run(arguments.port, kinds, datagrams, arguments.rate, arguments.seconds)


if __name__ == "__main__":
    main()
