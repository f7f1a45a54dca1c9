"""The key file of an exporter: fleet keys, denied names, generations. Source: docs/wire.md."""

import json
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from pombo_wire.keys import FleetKey, read_fleet_key
from pombo_wire.sealing import Crypto

_MAX_BYTES: Final = 2**20
_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH
_MAX_GENERATION: Final = 255


class KeyFileError(Exception):
    """A key file cannot be used; ``str()`` says the line, what is wrong, and the remedy."""


class Keys(NamedTuple):
    """What a key file says. The first of ``fleets`` is that of new hosts.

    ``fleets`` are by their ids, ``denied`` are names, ``generations`` the least ones by name; both
    names in UTF-8.
    """

    fleets: dict[bytes, FleetKey]
    denied: set[bytes]
    generations: dict[bytes, int]

    @property
    def first(self) -> FleetKey:
        """The key of hosts that are enrolled now."""
        return next(iter(self.fleets.values()))


def read_key_file(path: Path, crypto: Crypto) -> Keys:
    """Read a key file.

    Raises:
        KeyFileError: when it cannot be read, others may read or write it, or a line is wrong.
    """
    try:
        check_secret(path)
        data = path.read_bytes()[: _MAX_BYTES + 1]
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}") from None
    if len(data) > _MAX_BYTES:
        raise KeyFileError(f"{path}: longer than {_MAX_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise KeyFileError(f"{path}: no UTF-8") from None
    return _parsed(text, path, crypto)


def check_secret(path: Path) -> None:
    """Check that only the owner and the group of a file may read or write it.

    Raises:
        OSError: when it does not exist.
        KeyFileError: when others may.
    """
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        raise KeyFileError(f"{path}: others may read or write it: run chmod o= {path}")


def _parsed(text: str, path: Path, crypto: Crypto) -> Keys:
    keys = Keys({}, set(), {})
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                _add(line.strip(), keys, crypto)
            except ValueError as error:
                raise KeyFileError(f"{path}: line {number}: {error}") from None
    if not keys.fleets:
        raise KeyFileError(f"{path}: no key: make one with pombo-exporter keygen")
    return keys


def _add(line: str, keys: Keys, crypto: Crypto) -> None:
    """Add what a line says.

    Raises:
        ValueError: when it is wrong.
    """
    word, _, rest = line.partition(" ")
    if word == "key":
        fleet = read_fleet_key(crypto, rest)
        if keys.fleets.setdefault(fleet.kid, fleet) != fleet:
            raise ValueError("another key has the same id: make a new one")
    elif word == "deny":
        keys.denied.add(_name(rest))
    elif word == "generation":
        name, _, generation = rest.strip().rpartition(" ")
        keys.generations[_name(name)] = _generation(generation)
    else:
        raise ValueError(f"{word[:20]!r} is unknown: write key, deny or generation")


def _name(text: str) -> bytes:
    """Return a name, which stands bare or as a JSON string."""
    name = text.strip()
    if name.startswith('"'):
        try:
            name = json.loads(name)
        except ValueError:
            raise ValueError(f"{text[:40]!r} is no JSON string") from None
    elif any(character.isspace() for character in name):
        raise ValueError("write a name with white space as a JSON string")
    if not isinstance(name, str) or not name:
        raise ValueError("a name is missing")
    return name.encode()


def _generation(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_GENERATION:
        raise ValueError(f"{text[:20]!r} is no generation: write 0 to {_MAX_GENERATION}")
    return int(text)
