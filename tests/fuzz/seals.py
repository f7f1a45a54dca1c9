"""Sealed datagrams with a known key: made of any parts, opened, changed and sealed again."""

import struct
from random import Random
from typing import Any, NamedTuple

from pombo_exporter.seal.crypto import CRYPTO
from pombo_wire import DecodeError
from pombo_wire.keys import FleetKey, fleet_key_text, read_fleet_key
from pombo_wire.sealing import (
    CHALLENGE_BYTES,
    MIN_SEALED_BYTES,
    SALT_BYTES,
    SEALED,
    derive,
    envelope,
    host_key,
    overhead,
)

from fuzz.fuzzer import MutateBytes
from fuzz.json_mutations import TEXTS
from fuzz.lines import mutate_json, mutate_packed

#: The key of the fleet whose hosts the inputs are sealed for.
FLEET: FleetKey = read_fleet_key(CRYPTO, fleet_key_text(CRYPTO, FleetKey(b"", bytes(range(32)))))

_MAX_NAME = 255


class Parts(NamedTuple):
    """A sealed datagram as what it consists of; ``inside`` is the packed or plain one."""

    kid: bytes
    generation: int
    salt: bytes
    rnd: bytes
    seq: int
    name: bytes
    flags: int
    challenge: bytes
    inside: bytes

    def sealed(self) -> bytes:
        """Return the datagram, sealed with the key of its name and generation."""
        numbers = self.rnd + self.seq.to_bytes(6, "big")
        head = struct.pack("!B4sB16s", SEALED, self.kid, self.generation, self.salt)
        associated = head + numbers + bytes((len(self.name),)) + self.name
        shortest = MIN_SEALED_BYTES - overhead(self.name)
        plaintext = bytes((self.flags,)) + self.challenge + self.inside.ljust(shortest)
        return associated + CRYPTO.seal(self._up(), numbers, plaintext, associated)

    def _up(self) -> bytes:
        key = host_key(CRYPTO, FLEET.key, self.generation, self.name)
        return derive(CRYPTO, key, "pombo1 up", self.salt)


def opened(datagram: bytes) -> Parts | None:
    """Return the parts of a sealed datagram, None where it cannot be opened with the key."""
    try:
        found = envelope(datagram)
    except DecodeError:
        return None
    key = host_key(CRYPTO, FLEET.key, found.generation, found.name)
    up = derive(CRYPTO, key, "pombo1 up", found.salt)
    plaintext = CRYPTO.open(up, found.nonce, found.ciphertext, found.associated)
    if plaintext is None:
        return None
    end = 1 + CHALLENGE_BYTES
    return Parts(
        *(found.kid, found.generation, found.salt, found.rnd, found.seq, found.name),
        *(plaintext[0], plaintext[1:end], plaintext[end:]),
    )


def mutate_sealed(datagram: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a sealed datagram that resembles another one inside or outside; or other bytes."""
    parts = opened(datagram)
    if parts is None or random.random() < 0.05:
        return mutate(datagram)
    if random.random() < 0.7:
        inside = mutate_inside(parts.inside, random, mutate)
        return parts._replace(inside=inside).sealed()
    changes: dict[str, Any] = {
        "kid": bytes(4),
        "generation": random.choice((0, 1, 2, 3, 255)),
        "salt": bytes((random.randint(0, 3),)) * SALT_BYTES,
        "rnd": bytes((random.randint(0, 3),)) * 6,
        "seq": random.choice((0, 1, 2, 63, 64, 65, 2**32, 2**48 - 1)),
        "name": random.choice((*TEXTS, "denied", "old")).encode(errors="surrogatepass")[:_MAX_NAME],
        "flags": random.choice((0, 1, 2, 3, 4, 255)),
        "challenge": bytes((random.randint(0, 3),)) * CHALLENGE_BYTES,
    }
    name = random.choice([*changes])
    return parts._replace(**{name: changes[name]}).sealed()


def mutate_inside(inside: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a packed or plain datagram that resembles another one."""
    if inside[:1] == b"\xb0":
        return mutate_packed(inside, random, mutate)
    return mutate_json(inside, random, mutate)
