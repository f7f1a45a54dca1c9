"""The ports of the demonstration: the usual ones where they are free, else any others."""

import random
import socket
from collections.abc import Collection
from contextlib import closing

#: Below the ports that the kernel gives to connections, so that none takes one meanwhile.
_OTHERS = range(10_000, 30_000)
_TRIES = 100


def pick(usual: int | None, taken: Collection[int]) -> int:
    """Return a port of 127.0.0.1 that is free for TCP and UDP: ``usual`` if it can be.

    Raises:
        OSError: when none of many ports is free.
    """
    others = random.sample(_OTHERS, _TRIES)
    for port in others if usual is None else (usual, *others):
        if port not in taken and _is_free(port):
            return port
    raise OSError(f"none of {_TRIES} ports is free")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with closing(socket.socket(socket.AF_INET, kind)) as sock:
            if kind is socket.SOCK_STREAM:
                # As servers do: connections that have ended keep no port.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
