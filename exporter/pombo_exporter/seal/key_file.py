"""The key file of an exporter: fleet keys, denied names, generations. Source: docs/wire.md."""

import json
from pathlib import Path
from typing import Final, NamedTuple

from pombo_cli.secret_file import read_secret_file
from pombo_wire.keys import FleetKey, read_fleet_key
from pombo_wire.sealing import Crypto

_MAX_GENERATION: Final = 255


class KeyFileError(Exception):
    """A key file cannot be used; ``str()`` says the line, what is wrong, and the remedy.

    It quotes nothing of a line: a part of a key may stand anywhere.
    """


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
        text = read_secret_file(path)
    except ValueError as error:
        raise KeyFileError(str(error)) from None
    return _parsed(text, path, crypto)


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
        raise ValueError("write key, deny or generation at its start")


def _name(text: str) -> bytes:
    """Return a name, which stands bare or as a JSON string."""
    name = text.strip()
    if name.startswith('"'):
        try:
            name = json.loads(name)
        except ValueError:
            raise ValueError("a name that starts with a quote is not a JSON string") from None
    elif any(character.isspace() for character in name):
        raise ValueError("write a name with white space as a JSON string")
    if not isinstance(name, str) or not name:
        raise ValueError("a name is missing")
    return name.encode()


def _generation(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_GENERATION:
        raise ValueError(f"the generation is none: write 0 to {_MAX_GENERATION} at the end")
    return int(text)
