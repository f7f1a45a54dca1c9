"""Write the test vectors of sealed datagrams: keys, datagrams and an acknowledgement.

Usage: ``python docs/generate/sealed_vectors.py > docs/wire-vectors/sealed.json``
"""

import json
import sys
from itertools import count

from pombo_exporter.seal.crypto import CRYPTO
from pombo_wire.forms import packed
from pombo_wire.keys import FleetKey, derived, fleet_key_text, host_key_text, read_fleet_key
from pombo_wire.sealing import (
    ACCEPTED,
    PROBE,
    WANTS_ANSWER,
    Acknowledgement,
    Sealer,
    acknowledgement,
)

_DESCRIPTION = (
    "The fleet's key has the bytes 0 to 31, the host is pi, the generation 3. The random bytes of "
    "salt, rnd and nonce count up from 0 over all of them, in the order in which they are needed. "
    "The second datagram wants an answer and is a probe; its challenge is abcdefgh. The "
    "acknowledgement says: number 7, challenge 12345678, time 1763953012345, address 192.0.2.1, "
    "port 5005, accepted."
)


def sealed() -> dict[str, object]:
    """Return all values; bytes are hexadecimal."""
    numbers = count()
    crypto = CRYPTO._replace(random=lambda size: bytes(next(numbers) % 256 for _ in range(size)))
    text = fleet_key_text(crypto, FleetKey(b"", bytes(range(32))))
    key = derived(crypto, read_fleet_key(crypto, text), 3, "pi")
    sealer = Sealer(crypto, key.kid, key.generation, key.key, b"pi")
    header = {"session": 1763953012345678901, "time": 1763953112.5, "monotonic": 100.25, "parts": 1}
    inner = [packed(header, []), b'{"bye":true}']
    first = sealer.seal(inner[0])
    second = sealer.seal(inner[1], b"abcdefgh", WANTS_ANSWER | PROBE)
    address = bytes(10) + b"\xff\xff\xc0\0\2\1"
    answer = Acknowledgement(7, b"12345678", 1763953012345, address, 5005, ACCEPTED)
    return {
        "description": _DESCRIPTION,
        "fleet_key": text,
        "host_key": host_key_text(crypto, key),
        "kid": key.kid.hex(),
        "inner": [each.hex() for each in inner],
        "datagrams": [first.hex(), second.hex()],
        "acknowledgement": acknowledgement(crypto, key.key, sealer.salt, answer).hex(),
    }


if __name__ == "__main__":
    json.dump(sealed(), sys.stdout, indent=1)
    sys.stdout.write("\n")
