"""Log lines on standard error, as logfmt or JSON, and a limit on how often one is repeated."""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")

_LEVEL_NAMES = {"WARNING": "warn", "CRITICAL": "error"}


class _Formatter(logging.Formatter):
    """``extra={"fields": {…}}`` follows the message as further pairs."""

    converter = time.gmtime  # type: ignore[assignment]  # typeshed omits its default
    default_msec_format = "%s.%03dZ"
    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def pairs(self, record: logging.LogRecord) -> dict[str, str]:
        """Return what the line says, in its order."""
        level = _LEVEL_NAMES.get(record.levelname, record.levelname.lower())
        pairs = {"ts": self.formatTime(record), "level": level, "msg": record.getMessage()}
        fields: dict[str, Any] = getattr(record, "fields", {})
        pairs |= {name: str(value) for name, value in fields.items()}
        if record.exc_info:
            pairs["trace"] = self.formatException(record.exc_info)
        return pairs


class Logfmt(_Formatter):
    """``ts=… level=info msg="host is down" host=pi``, one line whatever the values hold."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return " ".join(f"{name}={_quoted(value)}" for name, value in self.pairs(record).items())


class Json(_Formatter):
    """The same pairs as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(self.pairs(record))


def _quoted(value: str) -> str:
    plain = value.isascii() and value.isprintable() and not set(value) & set(' ="\\')
    return value if value and plain else json.dumps(value)


def set_up(level: str, log_format: str) -> None:
    """Send every log line of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Logfmt() if log_format == "logfmt" else Json())
    logging.basicConfig(level=logging.getLevelNamesMapping()[level.upper()], handlers=[handler])


class Limiter:
    """Lets one line a key through each ``every`` seconds and counts those it held back.

    At most ``keys`` are remembered, so that whoever chooses the keys cannot fill the memory:
    a new one has to wait until an old one's span is over.
    """

    def __init__(self, every: float, clock: Callable[[], float], keys: int = 1000) -> None:
        self._every, self._clock, self._keys = every, clock, keys
        self._held: dict[str, tuple[float, int]] = {}  # the one longest let through comes first

    def allows(self, key: str) -> int | None:
        """Return how many were held back since the last one let through, ``None`` to wait."""
        now = self._clock()
        last, held = self._held.get(key, (float("-inf"), 0))
        if now - last < self._every:
            self._held[key] = (last, held + 1)
            return None
        if key not in self._held and len(self._held) >= self._keys:
            oldest = next(iter(self._held))
            if now - self._held[oldest][0] < self._every:
                return None
            del self._held[oldest]
        self._held.pop(key, None)
        self._held[key] = (now, 0)
        return held
