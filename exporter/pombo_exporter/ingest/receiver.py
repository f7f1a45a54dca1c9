"""Sockets to bytes: bind, drain in batches, read what the kernel dropped."""

import errno
import logging
import os
import socket
import struct
import sys
from asyncio import AbstractEventLoop, Handle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pombo_cli.flags import Address
from pombo_wire import MAX_DATAGRAM_BYTES

log = logging.getLogger(__name__)

BATCH = 64  # datagrams a drain, so that a flood leaves the loop its turn
REST = 0.001  # seconds; the kernel's default buffer holds some 90 datagrams
_OFTEN = 0.004  # seconds from one waking to the next
_BUSY = 12  # datagrams found by a drain

Take = Callable[[bytes, tuple[str | int, ...]], None]

_SO_MEMINFO = 55  # asm-generic/socket.h; the module socket does not name it
_MEMINFO = struct.Struct("9I")  # linux/sock_diag.h: SK_MEMINFO_VARS
_DROPS = 8


def bind(address: Address, receive_buffer: int) -> socket.socket:
    """Return a UDP socket that listens there, with IPv4 and IPv6 on ``[::]`` or no host.

    Warns when the kernel grants a smaller receive buffer than ``receive_buffer`` bytes.

    Raises:
        OSError: when the address is not this machine's, or is in use.
    """
    infos = socket.getaddrinfo(
        address.host or "::", address.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, where = infos[0]
    try:
        sock = _open(family, kind, protocol, where)
    except OSError as error:
        if address.host not in ("", "::") or error.errno not in _NO_IPV6:
            raise
        sock = _open(socket.AF_INET, kind, protocol, ("0.0.0.0", address.port))  # noqa: S104 - every address was asked for
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    granted = buffer_bytes(sock)
    if granted < receive_buffer:
        remedy = f"sysctl -w net.core.rmem_max={receive_buffer}"
        fields = {"wanted": receive_buffer, "granted": granted, "remedy": remedy}
        log.warning("the kernel grants a smaller receive buffer", extra={"fields": fields})
    return sock


_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def _open(family: int, kind: int, protocol: int, where: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.settimeout(0)
        sock.bind(where)
    except OSError:
        sock.close()
        raise
    return sock


def buffer_bytes(sock: socket.socket) -> int:
    """Return the receive buffer that the kernel granted, in the bytes that were asked for."""
    size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return size // 2 if sys.platform == "linux" else size  # socket(7): Linux doubles it


def drain(sock: socket.socket, take: Take) -> int:
    """Hand on what waits in the socket, a batch at most; return how many datagrams.

    A datagram that is longer than the wire allows comes cut, and one byte too long.
    """
    for count in range(BATCH):
        try:
            datagram, address = sock.recvfrom(MAX_DATAGRAM_BYTES + 1)
        except BlockingIOError:
            return count
        take(datagram, address)
    return BATCH


class Drain:
    """Drains a socket from an event loop, in batches.

    To be woken costs more than to take a datagram. So a socket that often wakes the loop is then
    left alone for ``REST`` seconds at a time, in which its buffer collects the next batch, until
    it had nothing; a busy one has its turn again at once.
    """

    def __init__(self, loop: AbstractEventLoop, sock: socket.socket, take: Take) -> None:
        self._loop, self._sock, self._take = loop, sock, take
        self._fd = sock.fileno()
        self._next: Handle | None = None
        self._at_once = False  # whether the next drain is as soon as can be
        self._woken = 0.0  # when it was last woken, on the loop's clock
        self._stopped = False
        self._loop.add_reader(self._fd, self._wake)

    def stop(self) -> None:
        """Drain no more, in the midst of other work either."""
        self._stopped = True
        if self._next:
            self._next.cancel()
        self._loop.remove_reader(self._fd)

    def look(self) -> None:
        """Drain now, in the midst of other work, which has no part in what may fail here.

        This is a busy socket's turn, too: in a flood, the other work has every second one.
        """
        if self._stopped:
            return
        if self._next and self._at_once:
            self._next.cancel()
            self._next = self._later()
        try:
            drain(self._sock, self._take)
        except Exception:
            log.exception("cannot take a datagram")

    def _wake(self) -> None:
        before, self._woken = self._woken, self._loop.time()
        if self._woken - before < _OFTEN:
            self._loop.remove_reader(self._fd)
            self._drain()
        else:
            drain(self._sock, self._take)

    def _drain(self) -> None:
        count = 1  # should taking one fail, the rest still has its turn
        try:
            count = drain(self._sock, self._take)
        finally:
            self._next = self._go_on(count)

    def _go_on(self, count: int) -> Handle | None:
        self._at_once = count >= _BUSY
        if self._at_once:
            return self._loop.call_soon(self._drain)
        if count:
            return self._later()
        self._loop.add_reader(self._fd, self._wake)
        return None

    def _later(self) -> Handle:
        self._at_once = False
        return self._loop.call_later(REST, self._drain)


class KernelDrops:
    """Counts the datagrams that the kernel dropped for want of room in the buffer.

    Read from ``SO_MEMINFO`` (Linux 4.12), or else from ``/proc/net/udp``; 0 elsewhere.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._seen = 0
        self.total = 0

    def read(self) -> int:
        """Return how many were dropped since the socket was bound."""
        seen = self._kernels_count()
        self.total += (seen - self._seen) % 2**32  # the kernel's counter has 32 bits
        self._seen = seen
        return self.total

    def _kernels_count(self) -> int:
        try:
            data = self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
            return int(_MEMINFO.unpack(data)[_DROPS])
        except (OSError, struct.error):
            return self._from_proc()

    def _from_proc(self) -> int:
        inode = str(os.fstat(self._sock.fileno()).st_ino)
        for table in (Path("/proc/net/udp"), Path("/proc/net/udp6")):
            with suppress(OSError):
                for line in table.read_text().splitlines()[1:]:
                    fields = line.split()
                    if fields[9] == inode:
                        return int(fields[-1])
        return self._seen  # the tables are not read at one moment and may miss a line
