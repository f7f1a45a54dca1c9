"""What ``--web.config.file`` adds to the web server, in one piece."""

import ssl
from asyncio import sslproto
from pathlib import Path
from typing import Final

from pombo_exporter.stats import HttpCounters
from pombo_exporter.web.toolkit.access import Access
from pombo_exporter.web.toolkit.current import CurrentConfig
from pombo_exporter.web.toolkit.handshake import Handshakes

_READ_BYTES: Final = 2**14  # of a TLS connection at a time, which is one record


class Toolkit:
    """TLS of new connections, and what requests have to pass, by a file that may change."""

    def __init__(self, path: Path) -> None:
        """Read the web configuration file.

        Raises:
            WebConfigError: when it cannot be used.
        """
        self._config = CurrentConfig(path)
        # asyncio's own buffer has 256 KiB, for each connection and for as long as it is open.
        sslproto.SSLProtocol.max_size = _READ_BYTES

    @property
    def reload_successful(self) -> bool:
        """Whether the file could be used when it was last read."""
        return self._config.reload_successful

    @property
    def certificate_expires(self) -> float | None:
        """When the first of the server's certificates does, in Unix seconds; None without TLS."""
        return self._config().expires

    def handshakes(self, counters: HttpCounters) -> Handshakes | None:
        """Return what makes TLS of connections, if there is TLS; ``counters`` count failures."""
        return Handshakes(self._context, counters) if self._config().tls else None

    def access(self, counters: HttpCounters) -> Access:
        """Return what requests have to pass; ``counters`` count those that are refused."""
        return Access(self._config, counters)

    def _context(self) -> ssl.SSLContext:
        tls = self._config().tls
        assert tls is not None  # it is neither added nor removed while the exporter runs
        return tls
