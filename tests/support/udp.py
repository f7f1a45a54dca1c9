"""UDP sockets over the loopback, where a datagram has arrived or is dropped once it is sent."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pombo_cli.flags import Address
from pombo_exporter.ingest.drain import drain
from pombo_exporter.runtime import listen

LOOPBACK: Final = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@contextmanager
def listening(host: str = "127.0.0.1", buffer: int = 100_000) -> Iterator[socket.socket]:
    """Yield a socket of the exporter, with a receive buffer of so many bytes."""
    with listen.udp(Address(host, 0), buffer) as sock:
        yield sock


def send(to: socket.socket, *datagrams: bytes, family: int = socket.AF_INET) -> None:
    """Send datagrams to a socket that listens."""
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect((LOOPBACK[socket.AddressFamily(family)], to.getsockname()[1]))
        for datagram in datagrams:
            sender.send(datagram)


def drained(sock: socket.socket) -> list[bytes]:
    """Return all that waits in a socket, batch after batch."""
    found: list[bytes] = []
    while drain(sock, lambda datagram, _: found.append(datagram)).datagrams:
        pass
    return found
