"""A UDP socket that answers from the address at which it was asked."""

import socket
import sys
from typing import Any, Final

# linux/in.h and linux/in6.h; Python 3.11 does not name the first one.
_IP_PKTINFO: Final = 8
_IPV6_PKTINFO: Final = 50

_ROOM: Final = socket.CMSG_SPACE(20) if sys.platform == "linux" else 0  # struct in6_pktinfo
_ANY_INTERFACE: Final = bytes(4)

_Control = tuple[int, int, bytes]


class ReplyingSocket(socket.socket):
    """A UDP socket that listens on all addresses of this machine, and answers.

    Left to itself, the kernel would answer from whichever of several addresses it prefers. Agents,
    their firewalls and NAT would take that for a stranger's datagram and drop it. To note the
    address costs a little for each datagram, so a socket that never answers is another one.
    """

    _asked: list[_Control]  # what came with the datagram that was received last

    def report_addresses(self) -> None:
        """Let the kernel say at which address each datagram has arrived. Linux alone can."""
        self._asked = []
        if sys.platform != "linux":
            return
        if self.family == socket.AF_INET6:  # which also says it of IPv4
            self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            self.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Receive a datagram, and note at which address."""
        datagram, self._asked, _, address = self.recvmsg(bufsize, _ROOM, flags)
        return datagram, address

    def answer(self, datagram: bytes, address: tuple[Any, ...]) -> None:
        """Send a datagram to where the one came from that was received last.

        Raises:
            OSError: when it cannot be sent.
        """
        self.sendmsg([datagram], [_source(each) for each in self._asked], 0, address)


def _source(asked: _Control) -> _Control:
    """Return what makes an address the source of a datagram; the route decides the interface."""
    level, kind, found = asked
    if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO):
        return level, kind, found[:16] + _ANY_INTERFACE  # address, interface
    return level, kind, _ANY_INTERFACE + found[4:]  # interface, own address, header's address


def replying(sock: socket.socket) -> ReplyingSocket:
    """Return a socket that answers, in place of one that listens on all addresses."""
    found = ReplyingSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    found.report_addresses()
    return found
