"""What an agent that seals reads from a server: acknowledgements, and anything else.

An input is what arrives after each of the agent's reports, 70 bytes each time; the last may have
fewer. Mutations open an acknowledgement, change what it says, and seal it again.
"""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.dialogue import Dialogue
from pombo_wire.keys import derived
from pombo_wire.sealing import (
    ACKNOWLEDGEMENT,
    ACKNOWLEDGEMENT_BYTES,
    CHALLENGE_BYTES,
    CONFLICT,
    SALT_BYTES,
    Acknowledgement,
    acknowledgement,
    derive,
    envelope,
    opened,
    read_acknowledgement,
)

from fuzz.fuzzer import Fuzzer, MutateBytes
from fuzz.seals import FLEET

_VECTORS = Path(__file__).parents[3] / "docs/wire-vectors/sealed.json"
_KEY = derived(CRYPTO, FLEET, 0, "pi")
_INTERVAL = 5.0
_MOST = 24  # datagrams that are read
_INSIDE = b'{"session":1,"gauges":{"a":1}}'

#: The salts of the agent, in the order in which it draws them.
_SALTS = [bytes((number,)) * SALT_BYTES for number in range(4)]


def _run(data: bytes) -> None:
    draws, now = count(), 100.0

    def random(size: int) -> bytes:
        return bytes((next(draws) % 4 if size == SALT_BYTES else 0,)) * size

    dialogue = Dialogue(CRYPTO._replace(random=random), _KEY, _INTERVAL, lambda: now)
    challenge, salted = bytes(CHALLENGE_BYTES), 0.0
    sent: dict[tuple[bytes, int], float] = {}
    read: set[tuple[bytes, int]] = set()
    for start in range(0, min(len(data), _MOST * ACKNOWLEDGEMENT_BYTES), ACKNOWLEDGEMENT_BYTES):
        [datagram] = dialogue.seal([_INSIDE])
        outer = envelope(datagram)
        sent[outer.salt, outer.seq] = now
        assert opened(CRYPTO, _KEY.key, outer).challenge == challenge
        now += 7.0
        said = dialogue.read(data[start : start + ACKNOWLEDGEMENT_BYTES])
        if said is not None:
            place = outer.salt, said.seq
            assert place not in read
            assert now - sent[place] <= 60.0
            read.add(place)
            challenge = said.challenge
            assert not dialogue.is_unheard
            if said.flags & CONFLICT and now - salted >= 600.0:
                salted = now


def _answers(salt: int, *seqs: int, flags: int = 1) -> bytes:
    address = bytes(10) + b"\xff\xff\xc0\0\2\1"
    crypto = CRYPTO._replace(random=bytes)
    return b"".join(
        acknowledgement(
            crypto,
            _KEY.key,
            _SALTS[salt],
            Acknowledgement(seq, b"challenge"[:CHALLENGE_BYTES], 1, address, 5005, flags),
        )
        for seq in seqs
    )


def _seeds() -> Iterator[bytes]:
    vectors = json.loads(_VECTORS.read_text("utf-8"))
    yield bytes.fromhex(vectors["acknowledgement"])
    yield _answers(0, 0, 1, 1, 3, 2, 4)
    yield _answers(0, 0, flags=3) + _answers(0, 1)
    yield _answers(0, 0)[:-1]
    yield bytes(700) + _answers(0, 10, 1, 12)


def _mutate(data: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return datagrams of which one says something else, or has moved."""
    size = ACKNOWLEDGEMENT_BYTES
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [bytes(size)]
    at = random.randrange(len(parts))
    kind = random.random()
    if kind < 0.1:
        return mutate(data)
    if kind < 0.2:
        parts.insert(random.randint(0, len(parts)), parts[at])
    elif kind < 0.3:
        parts[at] = bytes((ACKNOWLEDGEMENT,)) * size
    elif kind < 0.4:
        parts.append(
            _answers(random.randint(0, 3), random.randint(0, 12), flags=random.choice((1, 3)))
        )
    else:
        parts[at] = _changed(parts[at], random, mutate)
    return b"".join(parts)


def _changed(datagram: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return an acknowledgement with another content, sealed under one of the salts."""
    for salt in _SALTS:
        ack = derive(CRYPTO, _KEY.key, "pombo1 ack", salt)
        found = read_acknowledgement(CRYPTO, ack, datagram)
        if found is not None:
            changes: dict[str, Any] = {
                "seq": random.choice((0, 1, 2, 5, 11, 2**48 - 1)),
                "challenge": bytes((random.randint(0, 255),)) * CHALLENGE_BYTES,
                "time_ms": random.choice((0, 2**64 - 1)),
                "address": bytes((random.randint(0, 255),)) * 16,
                "port": random.choice((0, 65535)),
                "flags": random.choice((0, 1, 2, 3, 255)),
            }
            name = random.choice([*changes])
            said = found._replace(**{name: changes[name]})
            crypto = CRYPTO._replace(random=bytes)
            return acknowledgement(crypto, _KEY.key, random.choice(_SALTS), said)
    return mutate(datagram)


FUZZER = Fuzzer(_run, _seeds, most_bytes=_MOST * ACKNOWLEDGEMENT_BYTES, mutate=_mutate)
