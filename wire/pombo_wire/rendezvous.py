"""The order in which a host prefers servers: rendezvous hashing. Source: docs/wire.md.

Each host weighs every server by a hash of both names, and takes the heaviest first. No host knows
of any other, and all find the same order. When a server is added, only the hosts that prefer it
move, and all of them to it; when one is removed, only its own hosts move.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

_LENGTH_BYTES: Final = 2
_WEIGHT_BYTES: Final = 8


def _find_sha256() -> Callable[[bytes], Any]:
    """Return SHA-256 of the interpreter itself, as the module random does.

    ``hashlib`` loads OpenSSL, which takes 4 MiB, a quarter of what an agent may take.
    """
    for module in ("_sha2", "_sha256", "hashlib"):  # from Python 3.12, up to 3.11, everywhere
        try:
            found: Callable[[bytes], Any] = import_module(module).sha256
        except ImportError:
            continue
        return found
    raise ImportError("this Python has no SHA-256")


_sha256: Final = _find_sha256()


def order(host: str, servers: Iterable[str]) -> list[str]:
    """Return the servers in the order in which a host prefers them: the heaviest first.

    ``host`` is the host's name. ``servers`` are texts that are the same at every agent; each is
    returned once, wherever it stands and however often. Of two with one weight, which is not to
    be expected, the lower text in UTF-8 comes first.

    Raises:
        ValueError: when a text is not valid in UTF-8, or has more than 65,535 bytes in it.
    """
    name = _prefixed(host)
    return sorted(set(servers), key=lambda server: (-_weight(_prefixed(server) + name), server))


def weight(host: str, server: str) -> int:
    """Return how much a host prefers a server, as an integer of 64 bits.

    It is the first 8 bytes, big-endian, of SHA-256 over the server and then the host, each in UTF-8
    and after its length in 2 bytes, big-endian.

    Raises:
        ValueError: when a text is not valid in UTF-8, or has more than 65,535 bytes in it.
    """
    return _weight(_prefixed(server) + _prefixed(host))


def _weight(data: bytes) -> int:
    return int.from_bytes(_sha256(data).digest()[:_WEIGHT_BYTES], "big")


def _prefixed(text: str) -> bytes:
    """Return a text after its length, so that no two pairs of texts become the same bytes."""
    data = text.encode()
    if len(data) >= 1 << 8 * _LENGTH_BYTES:
        raise ValueError(f"a name has {len(data)} bytes, but 65535 is the limit")
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data
