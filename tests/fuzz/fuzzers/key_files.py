"""Key files of an exporter and of an agent: read, or refused with a reason that has no key."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pombo_agent.transport.key import read_key
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import KeyFileError, read_key_file
from pombo_wire.keys import derived, fleet_key_text, host_key_text

from fuzz.fuzzer import Fuzzer
from fuzz.one_datagram import MOST_DETAIL
from fuzz.seals import FLEET

_FOLDER = tempfile.TemporaryDirectory()
_FLEET_KEY = fleet_key_text(CRYPTO, FLEET)
_HOST_KEY = host_key_text(CRYPTO, derived(CRYPTO, FLEET, 3, "pi"))
_KEY = re.compile(r"p[fh]k1_[\w-]{8}")


def _run(data: bytes) -> None:
    path = Path(_FOLDER.name) / "key"
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        keys = read_key_file(path, CRYPTO)
    except KeyFileError as error:
        _check(error)
    else:
        assert keys.first in keys.fleets.values()
        assert all(0 <= generation <= 255 for generation in keys.generations.values())
        for name in (*keys.denied, *keys.generations):
            name.decode()
    try:
        found = read_key(str(path))
    except ValueError as error:
        _check(error)
    else:
        assert host_key_text(CRYPTO, found) in data.decode()


def _check(error: Exception) -> None:
    assert 0 < len(str(error)) <= MOST_DETAIL
    assert not _KEY.search(str(error))


def _seeds() -> Iterator[bytes]:
    yield f"# the fleet\nkey {_FLEET_KEY}\n".encode()
    yield f'key {_FLEET_KEY}\ndeny pi\ndeny "a b"\ngeneration nas 3\n'.encode()
    yield f'key {_FLEET_KEY}\r\ngeneration "a \\"b" 255\n\n'.encode()
    yield f"{_HOST_KEY}\n".encode()
    yield f"# of pi\n{_HOST_KEY}".encode()
    yield b""


FUZZER = Fuzzer(_run, _seeds, most_bytes=8192)
