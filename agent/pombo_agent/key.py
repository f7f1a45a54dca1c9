"""The key file of an agent, which has the key of its host. Imported only by agents that seal."""

import os
import stat

from pombo_wire.keys import HostKey, read_host_key

from pombo_agent.crypto import CRYPTO

_MOST_BYTES = 4096
_OTHERS = stat.S_IROTH | stat.S_IWOTH


def read_key(path: str) -> HostKey:
    """Return the key in a file; lines that start with ``#`` are ignored.

    Raises:
        ValueError: when the file cannot be read, others may read or write it, or it has no key.
    """
    try:
        with open(path, "rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ValueError(f"{path}: others may read or write it: run chmod o= {path}")
            text = file.read(_MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise ValueError(f"{path}: {len(lines)} lines, but a key is one line")
    try:
        return read_host_key(CRYPTO, lines[0])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
