"""The key file of an agent, which has the key of its host. Imported only by agents that seal."""

from pombo_cli.secret_file import read_secret_file
from pombo_wire.keys import HostKey, read_host_key

from pombo_agent.transport.crypto import CRYPTO


def read_key(path: str) -> HostKey:
    """Return the key in a file; lines that start with ``#`` are ignored.

    Raises:
        ValueError: when the file cannot be read, others may read or write it, or it has no key.
    """
    text = read_secret_file(path)
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise ValueError(f"{path}: {len(lines)} lines, but a key is one line")
    try:
        return read_host_key(CRYPTO, lines[0])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
