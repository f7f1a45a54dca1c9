"""The web configuration as it is now: read again when a file has changed."""

import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from pombo_cli.logs import LimitedLogger

from pombo_exporter.web.toolkit.config import WebConfig, read_web_config
from pombo_exporter.web.toolkit.errors import WebConfigError
from pombo_exporter.web.toolkit.files import Files

log = logging.getLogger(__name__)

_CHECK_INTERVAL: Final = 1.0  # seconds between two looks at the files
_LOG_INTERVAL: Final = 60.0  # seconds between two lines about a file that cannot be used


class CurrentConfig:
    """The configuration in a file, which may change at any time.

    A file that cannot be used changes nothing: the configuration before stays. So does a file
    that adds or removes TLS, or removes all users: that takes a restart.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = monotonic) -> None:
        """Read the file; ``clock`` is in seconds.

        Raises:
            WebConfigError: when it cannot be used.
        """
        self._path, self._clock = path, clock
        self._files = Files()
        self._config = read_web_config(path, self._files)
        self._checked_at = clock()
        self._limited = LimitedLogger(log, _LOG_INTERVAL, clock)
        #: Whether the files could be used when they were last read.
        self.reload_successful = True
        self._log_read()

    def __call__(self) -> WebConfig:
        """Return the configuration; it is at most a second older than the files."""
        now = self._clock()
        if now - self._checked_at >= _CHECK_INTERVAL:
            self._checked_at = now
            if self._files.have_changed():
                self._read_again()
        return self._config

    def _read_again(self) -> None:
        self._files = Files()
        try:
            config = read_web_config(self._path, self._files)
            self._check_change(config)
        except WebConfigError as error:
            self.reload_successful = False
            self._limited.log(logging.ERROR, "web config file not used", key="", error=error)
            return
        self._config, self.reload_successful = config, True
        self._log_read()

    def _check_change(self, config: WebConfig) -> None:
        """Refuse to serve without TLS or passwords because of a file that is half written.

        Raises:
            WebConfigError: when the change needs a restart.
        """
        change = ""
        if (config.tls is None) != (self._config.tls is None):
            change = "removed" if config.tls is None else "added"
            change = f"tls_server_config was {change}"
        elif self._config.users and not config.users:
            change = "all users were removed"
        if change:
            raise WebConfigError(f"{self._path}: {change}: restart the exporter for this")

    def _log_read(self) -> None:
        tls, users = self._config.tls is not None, len(self._config.users)
        fields = {"file": self._path, "tls": "on" if tls else "off", "users": users}
        log.info("web config file read", extra={"fields": fields})
