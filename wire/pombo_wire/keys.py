"""Keys as text: ``pfk1_…`` of a fleet, ``phk1_…`` of a host. Source: docs/wire.md."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, NamedTuple

from pombo_wire.sealing import (
    KEY_BYTES,
    KID_BYTES,
    MAX_SEALED_NAME_BYTES,
    Crypto,
    host_key,
    key_id,
)

_FLEET: Final = "pfk1_"
_HOST: Final = "phk1_"
_CHECK_BYTES: Final = 4
_NAME_AT: Final = KID_BYTES + 1 + KEY_BYTES


class FleetKey(NamedTuple):
    """The master key of a fleet, from which the keys of its hosts are derived, and its id."""

    kid: bytes
    key: bytes


class HostKey(NamedTuple):
    """The key of one host: good for its name, as long as its generation is not revoked."""

    kid: bytes
    generation: int
    key: bytes
    name: str


def new_fleet_key(crypto: Crypto) -> FleetKey:
    """Return a new random fleet key."""
    return _fleet(crypto, crypto.random(KEY_BYTES))


def derived(crypto: Crypto, fleet: FleetKey, generation: int, name: str) -> HostKey:
    """Return the key of a host of the fleet.

    Raises:
        ValueError: when the name is empty, too long or no UTF-8.
    """
    encoded = _encoded_name(name)
    return HostKey(fleet.kid, generation, host_key(crypto, fleet.key, generation, encoded), name)


def fleet_key_text(crypto: Crypto, fleet: FleetKey) -> str:
    """Return a fleet key as text."""
    return _FLEET + _encoded(crypto, fleet.key)


def host_key_text(crypto: Crypto, host: HostKey) -> str:
    """Return a host key as text."""
    inside = host.kid + bytes((host.generation,)) + host.key + _encoded_name(host.name)
    return _HOST + _encoded(crypto, inside)


def read_fleet_key(crypto: Crypto, text: str) -> FleetKey:
    """Return the fleet key in a text.

    Raises:
        ValueError: when it is none; the message has no part of the key.
    """
    inside = _decoded(crypto, text, _FLEET, "a fleet key")
    if len(inside) != KEY_BYTES:
        raise ValueError("not a fleet key: its length is wrong")
    return _fleet(crypto, inside)


def read_host_key(crypto: Crypto, text: str) -> HostKey:
    """Return the host key in a text.

    Raises:
        ValueError: when it is none; the message has no part of the key.
    """
    inside = _decoded(crypto, text, _HOST, "a host key")
    name = inside[_NAME_AT:]
    if not 1 <= len(name) <= MAX_SEALED_NAME_BYTES:
        raise ValueError("not a host key: its length is wrong")
    try:
        decoded = name.decode()
    except UnicodeDecodeError:
        raise ValueError("not a host key: the name in it is not UTF-8") from None
    return HostKey(inside[:KID_BYTES], inside[KID_BYTES], inside[KID_BYTES + 1 : _NAME_AT], decoded)


def _fleet(crypto: Crypto, key: bytes) -> FleetKey:
    return FleetKey(key_id(crypto, key), key)


def _encoded_name(name: str) -> bytes:
    encoded = name.encode()  # UnicodeEncodeError is a ValueError
    if not 1 <= len(encoded) <= MAX_SEALED_NAME_BYTES:
        raise ValueError(f"a name has 1 to {MAX_SEALED_NAME_BYTES} bytes, this one {len(encoded)}")
    return encoded


def _encoded(crypto: Crypto, inside: bytes) -> str:
    whole = inside + crypto.blake2b(inside, b"")[:_CHECK_BYTES]
    return urlsafe_b64encode(whole).decode().rstrip("=")


def _decoded(crypto: Crypto, text: str, prefix: str, what: str) -> bytes:
    stripped = text.strip()
    if not stripped.startswith(prefix):
        raise ValueError(f"not {what}: it begins with {prefix}")
    encoded = stripped.removeprefix(prefix)
    if not set(encoded) <= _ALPHABET:
        raise ValueError(f"not {what}: it has a character that no key has")
    try:
        whole = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        raise ValueError(f"not {what}: it is cut") from None
    inside, check = whole[:-_CHECK_BYTES], whole[-_CHECK_BYTES:]
    if len(inside) < KEY_BYTES or crypto.blake2b(inside, b"")[:_CHECK_BYTES] != check:
        raise ValueError(f"not {what}: it is cut, or was mistyped; copy it again")
    return inside


_ALPHABET: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
