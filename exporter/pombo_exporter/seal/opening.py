"""Opens sealed datagrams with the keys of a key file."""

from typing import Final, NamedTuple

from pombo_wire import DecodeError, Reason
from pombo_wire.sealing import (
    PROBE,
    WANTS_ANSWER,
    Crypto,
    Envelope,
    envelope,
    host_key,
    opened,
)

from pombo_exporter.seal.key_file import Keys

_MOST_KEPT: Final = 65_536  # derived keys


class Seal(NamedTuple):
    """What is known of a datagram because its seal is right.

    ``name`` is that of its host, ``inside`` a packed or plain datagram, which is not read yet.
    ``key`` is that of the host, for an answer. ``seq`` counts under ``salt``.
    """

    name: str
    inside: bytes
    salt: bytes
    rnd: bytes
    seq: int
    generation: int
    challenge: bytes
    wants_answer: bool
    is_probe: bool
    key: bytes


class Opener:
    """Opens sealed datagrams.

    It keeps the derived keys of hosts whose seals were right. When there are too many, it forgets
    all of them.
    """

    def __init__(self, crypto: Crypto, keys: Keys) -> None:
        self._crypto, self._keys = crypto, keys
        self._derived: dict[tuple[bytes, int, bytes], bytes] = {}

    def use(self, keys: Keys) -> None:
        """Use the keys of another key file from now on."""
        self._keys = keys
        self._derived.clear()

    def is_revoked(self, name: str, generation: int | None) -> bool:
        """Return whether a name is denied, or the generation of its key revoked; plain has none."""
        encoded = name.encode()
        if encoded in self._keys.denied:
            return True
        return generation is not None and generation < self._keys.generations.get(encoded, 0)

    def open(self, datagram: bytes) -> Seal:
        """Return what a sealed datagram contains.

        Raises:
            DecodeError: when it is malformed, revoked, of no known key, or not sealed with it.
        """
        found = envelope(datagram)
        place = (found.kid, found.generation, found.name)
        self._check(found)
        known = self._derived.get(place)
        fleet = self._keys.fleets[found.kid]
        key = known or host_key(self._crypto, fleet.key, found.generation, found.name)
        flags, challenge, inner = opened(self._crypto, key, found)
        if known is None:
            if len(self._derived) >= _MOST_KEPT:
                self._derived.clear()
            self._derived[place] = key
        try:
            name = found.name.decode()
        except UnicodeDecodeError:
            raise DecodeError(Reason.MALFORMED, "the name is not UTF-8") from None
        return Seal(
            name=name,
            inside=inner,
            salt=found.salt,
            rnd=found.rnd,
            seq=found.seq,
            generation=found.generation,
            challenge=challenge,
            wants_answer=bool(flags & WANTS_ANSWER),
            is_probe=bool(flags & PROBE),
            key=key,
        )

    def _check(self, found: Envelope) -> None:
        if found.kid not in self._keys.fleets:
            detail = f"key {found.kid.hex()} is not in the key file: enrol the host again"
            raise DecodeError(Reason.UNKNOWN_KEY, detail)
        least = self._keys.generations.get(found.name, 0)
        if found.name in self._keys.denied or found.generation < least:
            detail = f"the name is denied, or generation {found.generation} is revoked"
            raise DecodeError(Reason.REVOKED, detail)
        if found.generation > least:
            detail = f"generation {found.generation} is above that of the key file, {least}"
            raise DecodeError(Reason.BAD_SEAL, detail)
