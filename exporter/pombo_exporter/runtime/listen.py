"""The sockets that listen, for UDP and for HTTP: addresses, errors, and the receive buffer."""

import errno
import logging
import socket
import sys
from ipaddress import ip_address
from typing import Final

from pombo_cli.flags import Address

from pombo_exporter.runtime.replying import replying

log = logging.getLogger(__name__)

_ALL: Final = ("", "::")  # hosts that stand for all addresses, of IPv4 and of IPv6
_NO_IPV6: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_BACKLOG: Final = 1024  # connections that wait to be accepted; others try again after a second
_SEND_BUFFER: Final = 2**18  # bytes of each; the kernel would let it grow to megabytes

_REMEDIES: Final = {
    errno.EADDRINUSE: "end what listens there, or give another address",
    errno.EADDRNOTAVAIL: "give an address of this machine, or [::] for all of them",
    errno.EAFNOSUPPORT: "give an IPv4 address: this machine has no IPv6",
    errno.EACCES: "give a port above 1023, or grant the capability CAP_NET_BIND_SERVICE",
}
_UNKNOWN_NAME: Final = "give a name that this machine resolves, or an IP address"
_OTHER: Final = "give another address"


class ListenError(Exception):
    """An address that cannot be listened on, with the ``reason`` and a ``remedy``."""

    def __init__(
        self, address: Address, kind: socket.SocketKind, error: OSError | UnicodeError
    ) -> None:
        self.address, self.kind = address, kind
        if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
            self.reason = error.strerror or str(error)
            self.remedy = _REMEDIES.get(error.errno or 0, _OTHER)
        else:  # the name is unknown, or none
            self.reason, self.remedy = getattr(error, "strerror", str(error)), _UNKNOWN_NAME
        super().__init__(f"{address}: {self.reason}")


def udp(address: Address, receive_buffer: int, *, answers: bool = False) -> socket.socket:
    """Return a UDP socket that listens on an address, as ``tcp`` does.

    One that ``answers`` on all addresses is a ``ReplyingSocket``. Warns when the kernel grants a
    smaller receive buffer than ``receive_buffer`` bytes.

    Raises:
        ListenError: when the address is in use, forbidden, unknown or not this machine's.
    """
    sock = _listen(address, socket.SOCK_DGRAM)
    if answers and ip_address(sock.getsockname()[0]).is_unspecified:
        sock = replying(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    granted = buffer_bytes(sock)
    if granted < receive_buffer:
        remedy = f"sysctl -w net.core.rmem_max={receive_buffer}"
        fields = {"wanted": receive_buffer, "granted": granted, "remedy": remedy}
        log.warning("the kernel grants a smaller receive buffer", extra={"fields": fields})
    return sock


def tcp(address: Address) -> socket.socket:
    """Return a TCP socket that listens on an address.

    No host or ``[::]`` is all addresses, of IPv4 and of IPv6; of IPv4 alone where the kernel has no
    IPv6. A name is its first IPv4 address if it has one, as in Prometheus.

    Raises:
        ListenError: when the address is in use, forbidden, unknown or not this machine's.
    """
    return _listen(address, socket.SOCK_STREAM)


def buffer_bytes(sock: socket.socket) -> int:
    """Return the receive buffer that the kernel granted, in the bytes that were asked for."""
    size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return size // 2 if sys.platform == "linux" else size  # socket(7): Linux doubles it


def _listen(address: Address, kind: socket.SocketKind) -> socket.socket:
    try:
        if address.host in _ALL:
            return _on_all(address.port, kind)
        infos = socket.getaddrinfo(address.host, address.port, type=kind)
        infos.sort(key=lambda info: info[0] != socket.AF_INET)
        family, _, _, _, where = infos[0]
        return _open(family, kind, where)
    except (OSError, UnicodeError) as error:
        raise ListenError(address, kind, error) from error


def _on_all(port: int, kind: socket.SocketKind) -> socket.socket:
    try:
        return _open(socket.AF_INET6, kind, ("::", port))
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise
    return _open(socket.AF_INET, kind, ("0.0.0.0", port))  # noqa: S104 - all addresses were asked for


def _open(family: int, kind: socket.SocketKind, where: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind is socket.SOCK_STREAM:  # not to wait for connections of the exporter before
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # accepted ones too
        sock.setblocking(False)  # noqa: FBT003 - the socket's own way
        sock.bind(where)
        if kind is socket.SOCK_STREAM:
            sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
