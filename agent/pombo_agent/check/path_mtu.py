"""Whether datagrams of full length arrive, and in how many pieces."""

import errno
import socket
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from pombo_wire.limits import MAX_DATAGRAM_BYTES
from pombo_wire.sealing import MIN_SEALED_BYTES

from pombo_agent.check.probing import PACE_SECONDS, Prober

# linux/in.h and linux/in6.h, which Python does not name.
_IP_MTU_DISCOVER, _IP_MTU = 10, 14
_IPV6_MTU_DISCOVER, _IPV6_MTU = 23, 24
_AS_USUAL, _WHOLE, _WHOLE_ALWAYS = 1, 2, 3  # want, do, probe

#: Bytes of the headers of IP and UDP.
HEADERS = {socket.AF_INET: 28, socket.AF_INET6: 48}

_STEP_BYTES = 16  # to which the longest datagram that arrives is found
_MOST_TRIES = 6


class PathMtu(NamedTuple):
    """How datagrams of full length arrive.

    ``known`` is the path MTU that the kernel knows, 0 where it does not say. ``longest`` is the
    length of the longest datagram that arrives in one piece, 0 if that is not known. ``arrives`` is
    whether one of full length does, as the agent sends it: in pieces, if need be.
    """

    known: int
    longest: int
    is_whole: bool
    arrives: bool


def path_mtu(prober: Prober, lost: float, round_trip: float, end: float) -> PathMtu | None:
    """Probe with datagrams of full length; None where the system cannot do this.

    ``lost`` is the share of short probes without an answer, ``round_trip`` in seconds, ``end`` on
    the monotonic clock.
    """
    if sys.platform != "linux":
        return None
    wait = max(0.2, 3 * round_trip)
    tries = 2
    while lost and lost**tries > 0.005 and tries < _MOST_TRIES:
        tries += 1

    def passes(size: int) -> bool:
        return _passes(prober, size, tries, wait, end)

    _set(prober, _WHOLE)
    if passes(MAX_DATAGRAM_BYTES):
        return PathMtu(_known(prober), MAX_DATAGRAM_BYTES, is_whole=True, arrives=True)
    known = _known(prober)
    _set(prober, _AS_USUAL)
    arrives = passes(MAX_DATAGRAM_BYTES)
    _set(prober, _WHOLE_ALWAYS)
    longest = _longest(passes, known - HEADERS[socket.AddressFamily(prober.family)], end)
    _set(prober, _AS_USUAL)
    return PathMtu(known, longest, is_whole=False, arrives=arrives)


def _passes(prober: Prober, size: int, tries: int, wait: float, end: float) -> bool:
    """Return whether a probe of a length is answered; each try waits for ``wait`` seconds."""
    numbers = []
    refused = 0
    for _ in range(tries):
        prober.errors.pop(errno.EMSGSIZE, None)
        numbers.append(prober.send(size))
        if errno.EMSGSIZE in prober.errors:
            refused += 1
            if refused > 1:
                return False
            continue  # that may have been news of an earlier one: the next may go in pieces
        until = min(time.monotonic() + wait, end)
        while prober.receive(until):
            if any(number in prober.answers for number in numbers):
                return True
        if time.monotonic() >= end:
            return False
    return False


def _longest(passes: Callable[[int], bool], known: int, end: float) -> int:
    """Return the longest datagram that passes whole; what the kernel knows is tried first."""
    low, high = MIN_SEALED_BYTES, MAX_DATAGRAM_BYTES
    if low < known < high and passes(known):
        return known
    while high - low > _STEP_BYTES:
        middle = (low + high) // 2
        if time.monotonic() >= end:
            return 0
        if passes(middle):
            low = middle
        else:
            high = middle
        time.sleep(PACE_SECONDS)
    return low if low > MIN_SEALED_BYTES else 0


def _set(prober: Prober, how: int) -> None:
    if prober.family == socket.AF_INET6:
        prober.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, how)
    else:
        prober.socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, how)


def _known(prober: Prober) -> int:
    try:
        if prober.family == socket.AF_INET6:
            return prober.socket.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
        return prober.socket.getsockopt(socket.IPPROTO_IP, _IP_MTU)
    except OSError:
        return 0
