"""What the exporter logs, whatever it was sent: a line for each event, without control letters."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pombo_cli.logs import Json, Logfmt

_MOST_LETTERS = 16_384


class _Checked(logging.Handler):
    """Formats each record in both ways, and checks the lines."""

    _formatters = (Logfmt(), Json())

    def emit(self, record: logging.LogRecord) -> None:
        """Check a record."""
        assert record.exc_info is None, record.exc_info
        for formatter in self._formatters:
            line = formatter.format(record)
            assert line.isascii(), line
            assert line.isprintable(), line
            assert len(line) <= _MOST_LETTERS, line


@contextmanager
def checked_log() -> Iterator[None]:
    """Check what the exporter logs meanwhile, and write it nowhere."""
    logger = logging.getLogger("pombo_exporter")
    before, handler = (logger.propagate, logger.level), _Checked()
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate, logger.level = before
