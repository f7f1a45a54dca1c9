"""The keys of a running exporter, which are read again on SIGHUP."""

import logging
from collections.abc import Callable
from pathlib import Path

from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import KeyFileError, read_key_file
from pombo_exporter.seal.opening import Opener

log = logging.getLogger(__name__)


class Keyring:
    """Reads a key file, and has what opens datagrams with its keys."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            KeyFileError: when it cannot be used.
        """
        self._path = path
        self.opener = Opener(CRYPTO, read_key_file(path, CRYPTO))
        #: Whether the file could be used when it was last read.
        self.reload_successful = True

    def read_again(self, then: Callable[[], None]) -> None:
        """Read the file again, and call ``then``; where it cannot be used, the old keys stay."""
        try:
            keys = read_key_file(self._path, CRYPTO)
        except KeyFileError as error:
            self.reload_successful = False
            log.error("key file not used", extra={"fields": {"error": error}})  # noqa: TRY400
            return
        self.opener.use(keys)
        self.reload_successful = True
        then()
        log.info("key file read", extra={"fields": {"file": self._path}})
