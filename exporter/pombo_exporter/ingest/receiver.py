"""The UDP socket: where it listens, and the size of its receive buffer."""

import errno
import logging
import socket
import sys

from pombo_cli.flags import Address

log = logging.getLogger(__name__)


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
