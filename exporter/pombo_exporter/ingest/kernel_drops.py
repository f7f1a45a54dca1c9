"""How many datagrams the kernel dropped because a socket's receive buffer was full."""

import os
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_SO_MEMINFO: Final = 55  # asm-generic/socket.h; the module socket does not name it
_MEMINFO: Final = struct.Struct("9I")  # linux/sock_diag.h: SK_MEMINFO_VARS
_DROPS: Final = 8

#: The kernel's tables of UDP sockets, proc(5).
TABLES: Final = (Path("/proc/net/udp"), Path("/proc/net/udp6"))

#: Reads a socket's count of drops, of 32 bits; ``None`` where it cannot.
Read = Callable[[socket.socket], int | None]


class KernelDrops:
    """The count of one socket, which never decreases."""

    def __init__(self, sock: socket.socket, readers: Sequence[Read] | None = None) -> None:
        """Take the functions that read the count, the preferred first; by default both below."""
        self._sock = sock
        self._readers = (read_meminfo, read_tables) if readers is None else readers
        self._last = 0
        self.total = 0

    def read(self) -> int:
        """Return how many were dropped since the socket was bound; 0 where nothing counts them."""
        counts = (read(self._sock) for read in self._readers)
        count = next((count for count in counts if count is not None), None)
        if count is not None:
            self.total += (count - self._last) % 2**32  # the kernel's counter has 32 bits
            self._last = count
        return self.total


def read_meminfo(sock: socket.socket) -> int | None:
    """Return the count from the socket itself, ``SO_MEMINFO`` of Linux 4.12."""
    try:
        data = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        return int(_MEMINFO.unpack(data)[_DROPS])
    except (OSError, struct.error):
        return None


def read_tables(sock: socket.socket, tables: Sequence[Path] = TABLES) -> int | None:
    """Return the count from the kernel's tables; ``None`` when the socket is in none of them.

    The kernel does not write a table atomically, so a line may be missing.
    """
    inode = str(os.fstat(sock.fileno()).st_ino)
    for table in tables:
        with suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[9] == inode:
                    return int(fields[-1])
    return None
