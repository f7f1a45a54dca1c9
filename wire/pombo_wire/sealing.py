"""Sealed datagrams and their acknowledgements: the bytes of both. Source: docs/wire.md.

Cipher, hash and random bytes come in as ``Crypto``, since agents and exporters use different
libraries. Integers are unsigned and big-endian.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from pombo_wire.limits import MAX_DATAGRAM_BYTES
from pombo_wire.reasons import DecodeError, Reason

#: The first byte of a sealed datagram, and of an acknowledgement.
SEALED: Final = 0xB1
ACKNOWLEDGEMENT: Final = 0xB2

#: Lengths in bytes.
KEY_BYTES: Final = 32
KID_BYTES: Final = 4
SALT_BYTES: Final = 16
RND_BYTES: Final = 6
CHALLENGE_BYTES: Final = 8
TAG_BYTES: Final = 16
MIN_SEALED_BYTES: Final = 96
MAX_SEALED_NAME_BYTES: Final = 255
ACKNOWLEDGEMENT_BYTES: Final = 70

#: The largest sequence number of a salt.
MAX_SEALED_SEQ: Final = 2**48 - 1

#: The challenge of an agent that knows none.
NO_CHALLENGE: Final = bytes(CHALLENGE_BYTES)

#: The flags of a sealed datagram: its sender wants an answer; it is only a probe.
WANTS_ANSWER: Final = 1
PROBE: Final = 2

#: The flags of an acknowledgement.
ACCEPTED: Final = 1
CONFLICT: Final = 2

#: What precedes an IPv4 address in an acknowledgement, where it stands mapped into IPv6.
IPV4_MAPPED: Final = bytes(10) + b"\xff\xff"

# On Python 3.11 a lookup of an enum's member by name costs ten times that of a global.
_BAD_SEAL: Final = Reason.BAD_SEAL

_UP: Final = b"pombo1 up\0"
_NAME_AT: Final = 35
_FIXED_BYTES: Final = _NAME_AT + 1 + CHALLENGE_BYTES + TAG_BYTES  # around the name and the inside
_ACK_NONCE_BYTES: Final = 12
_ACK_PLAIN_BYTES: Final = 41


class Crypto(NamedTuple):
    """ChaCha20-Poly1305 (RFC 8439), BLAKE2b (RFC 7693) and random bytes, from a library.

    ``blake2b`` takes data and a key of 0 to 64 bytes, and returns 32 bytes. ``seal`` takes a key, a
    nonce, a plaintext and associated data, and returns the ciphertext with its tag. ``open`` takes
    these with the ciphertext, and returns the plaintext, or None where the tag is not right.
    ``random`` returns as many bytes as it is given.
    """

    blake2b: Callable[[bytes, bytes], bytes]
    seal: Callable[[bytes, bytes, bytes, bytes], bytes]
    open: Callable[[bytes, bytes, bytes, bytes], bytes | None]
    random: Callable[[int], bytes]


def derive(crypto: Crypto, key: bytes, label: str, data: bytes = b"") -> bytes:
    """Return the key of 32 bytes that is derived from ``key`` for a purpose."""
    return crypto.blake2b(label.encode() + b"\0" + data, key)


def key_id(crypto: Crypto, fleet_key: bytes) -> bytes:
    """Return the id of a fleet key."""
    return derive(crypto, fleet_key, "pombo1 kid")[:KID_BYTES]


def host_key(crypto: Crypto, fleet_key: bytes, generation: int, name: bytes) -> bytes:
    """Return the key of a host; ``generation`` is from 0 to 255, ``name`` in UTF-8."""
    return derive(crypto, fleet_key, "pombo1 host", bytes((generation,)) + name)


class Envelope(NamedTuple):
    """A sealed datagram before its tag is verified: nothing of it is known to be true.

    ``name`` is in UTF-8. ``ciphertext`` has the tag at its end.
    """

    kid: bytes
    generation: int
    salt: bytes
    name: bytes
    nonce: bytes
    associated: bytes
    ciphertext: bytes

    @property
    def rnd(self) -> bytes:
        """What is random in every datagram."""
        return self.nonce[:RND_BYTES]

    @property
    def seq(self) -> int:
        """The sequence number."""
        return int.from_bytes(self.nonce[RND_BYTES:], "big")


class Opened(NamedTuple):
    """What a sealed datagram contains: the flags, the challenge, a packed or plain datagram."""

    flags: int
    challenge: bytes
    inner: bytes


def envelope(datagram: bytes) -> Envelope:
    """Return the parts of a sealed datagram.

    Raises:
        DecodeError: with the reason ``malformed``, when it cannot be one.
    """
    if not MIN_SEALED_BYTES <= len(datagram) <= MAX_DATAGRAM_BYTES:
        detail = f"{len(datagram)} bytes: a sealed datagram has {MIN_SEALED_BYTES} to 1200"
        raise DecodeError(Reason.MALFORMED, detail)
    end = _NAME_AT + datagram[_NAME_AT - 1]
    if datagram[0] != SEALED or end == _NAME_AT or len(datagram) < end + _FIXED_BYTES - _NAME_AT:
        raise DecodeError(Reason.MALFORMED, "the name has no byte, or is longer than the datagram")
    # The constructor of a NamedTuple is Python, and takes as long as all of this.
    return tuple.__new__(
        Envelope,
        (
            datagram[1:5],
            datagram[5],
            datagram[6:22],
            datagram[_NAME_AT:end],
            datagram[22:34],
            datagram[:end],
            datagram[end:],
        ),
    )


def opened(crypto: Crypto, key: bytes, found: Envelope) -> Opened:
    """Return what a sealed datagram contains; ``key`` is that of its host.

    Raises:
        DecodeError: with the reason ``bad_seal`` when the tag is not that of this key, or
            ``malformed`` when a flag is set that has no meaning.
    """
    up = crypto.blake2b(_UP + found.salt, key)  # as ``derive``, for each datagram of strangers
    plaintext = crypto.open(up, found.nonce, found.ciphertext, found.associated)
    if plaintext is None:
        raise DecodeError(_BAD_SEAL, "the seal is not of this host's key: enrol it again")
    flags = plaintext[0]
    if flags & ~(WANTS_ANSWER | PROBE):
        raise DecodeError(Reason.MALFORMED, f"flags {flags:#x}: a bit is set that has no meaning")
    return Opened(flags, plaintext[1 : 1 + CHALLENGE_BYTES], plaintext[1 + CHALLENGE_BYTES :])


def overhead(name: bytes) -> int:
    """Return how many bytes sealing adds to a datagram."""
    return _FIXED_BYTES + len(name)


class Sealer:
    """Seals the datagrams of one host for one server, under one salt.

    Each datagram has the next number. The caller makes a new sealer before the number wraps.
    """

    def __init__(
        self, crypto: Crypto, kid: bytes, generation: int, key: bytes, name: bytes
    ) -> None:
        """Draw a salt; ``key`` is that of the host, ``name`` its name in UTF-8."""
        self._crypto, self._name = crypto, name
        self.salt: bytes = crypto.random(SALT_BYTES)
        self.seq: int = 0  # of the next datagram
        self._head = bytes((SEALED,)) + kid + bytes((generation,)) + self.salt
        self._up = derive(crypto, key, "pombo1 up", self.salt)
        self._ack = derive(crypto, key, "pombo1 ack", self.salt)

    def seal(self, inner: bytes, challenge: bytes = NO_CHALLENGE, flags: int = 0) -> bytes:
        """Return a packed or plain datagram as the next sealed one.

        A short plain one is padded with spaces.

        Raises:
            ValueError: when it is too long, or too short and packed.
        """
        shortest = MIN_SEALED_BYTES - overhead(self._name)
        if len(inner) < shortest and inner[:1] != b"{":
            raise ValueError(f"{len(inner)} bytes are too few to be sealed")
        if len(inner) + overhead(self._name) > MAX_DATAGRAM_BYTES:
            raise ValueError(f"{len(inner)} bytes are too many to be sealed")
        numbers = self._crypto.random(RND_BYTES) + self.seq.to_bytes(6, "big")
        associated = self._head + numbers + bytes((len(self._name),)) + self._name
        plaintext = bytes((flags,)) + challenge + inner.ljust(max(shortest, 0), b" ")
        self.seq += 1
        return associated + self._crypto.seal(self._up, numbers, plaintext, associated)

    def acknowledgement(self, datagram: bytes) -> "Acknowledgement | None":
        """Return the acknowledgement in a datagram, or None where it is none under this salt."""
        return read_acknowledgement(self._crypto, self._ack, datagram)


class Acknowledgement(NamedTuple):
    """What an exporter answers: it instructs nothing.

    ``seq`` is that of the datagram which it answers, ``time_ms`` the exporter's clock in Unix
    milliseconds, ``address`` (16 bytes, IPv4 mapped) and ``port`` where that datagram came from.
    """

    seq: int
    challenge: bytes
    time_ms: int
    address: bytes
    port: int
    flags: int


def acknowledgement(crypto: Crypto, key: bytes, salt: bytes, answer: Acknowledgement) -> bytes:
    """Return an acknowledgement as 70 bytes; ``key`` is that of the host."""
    plaintext = (
        answer.seq.to_bytes(6, "big")
        + answer.challenge
        + answer.time_ms.to_bytes(8, "big")
        + answer.address
        + answer.port.to_bytes(2, "big")
        + bytes((answer.flags,))
    )
    head = bytes((ACKNOWLEDGEMENT,)) + crypto.random(_ACK_NONCE_BYTES)
    ack = derive(crypto, key, "pombo1 ack", salt)
    return head + crypto.seal(ack, head[1:], plaintext, head)


def read_acknowledgement(crypto: Crypto, ack: bytes, datagram: bytes) -> Acknowledgement | None:
    """Return what an acknowledgement says; ``ack`` is the key that is derived from its salt."""
    if len(datagram) != ACKNOWLEDGEMENT_BYTES or datagram[0] != ACKNOWLEDGEMENT:
        return None
    head = datagram[: 1 + _ACK_NONCE_BYTES]
    plaintext = crypto.open(ack, head[1:], datagram[len(head) :], head)
    if plaintext is None:
        return None
    return Acknowledgement(
        seq=int.from_bytes(plaintext[:6], "big"),
        challenge=plaintext[6:14],
        time_ms=int.from_bytes(plaintext[14:22], "big"),
        address=plaintext[22:38],
        port=int.from_bytes(plaintext[38:40], "big"),
        flags=plaintext[40],
    )
