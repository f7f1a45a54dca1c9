"""Log lines on standard error, as logfmt or JSON, and a rate limit for repeated lines."""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
LEVELS = tuple(_LEVELS)
FORMATS = ("logfmt", "json")

_LEVEL_NAMES = {"WARNING": "warn", "CRITICAL": "error"}


class _Formatter(logging.Formatter):
    """Formats a record as pairs; ``extra={"fields": {…}}`` follows the message."""

    converter: Callable[[float | None], time.struct_time] = time.gmtime
    default_msec_format: str | None = "%s.%03dZ"
    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def pairs(self, record: logging.LogRecord) -> dict[str, str]:
        """Return the names and values of the line, in their order."""
        level = _LEVEL_NAMES.get(record.levelname, record.levelname.lower())
        pairs = {"ts": self.formatTime(record), "level": level, "msg": record.getMessage()}
        fields: dict[str, Any] = getattr(record, "fields", {})
        pairs |= {name: _text(value) for name, value in fields.items()}
        if record.exc_info:
            pairs["trace"] = self.formatException(record.exc_info)
        return pairs


class Logfmt(_Formatter):
    """Writes ``ts=… level=info msg="host is down" host=pi``; a value cannot add a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return " ".join(f"{name}={_quoted(value)}" for name, value in self.pairs(record).items())


class Json(_Formatter):
    """Writes the same pairs as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(self.pairs(record))


def _text(value: object) -> str:
    return repr(value) if isinstance(value, bytes) else str(value)


def _quoted(value: str) -> str:
    plain = value.isascii() and value.isprintable() and not set(value) & set(' ="\\')
    return value if value and plain else json.dumps(value)


def set_up(level: str, log_format: str) -> None:
    """Write every log line of this process to standard error.

    ``level`` is one of ``LEVELS``, ``log_format`` one of ``FORMATS``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Logfmt() if log_format == "logfmt" else Json())
    logging.basicConfig(level=_LEVELS[level], handlers=[handler])


_NEVER = (float("-inf"), 0)


class Limiter:
    """Allows one event per key in ``every`` seconds and counts the suppressed ones.

    ``every`` is in seconds of ``clock``. At most ``max_keys`` keys are kept, so that keys from the
    network cannot fill the memory: beyond that, events of a new key are suppressed, and not
    counted, until the oldest key may be replaced.
    """

    def __init__(self, every: float, clock: Callable[[], float], max_keys: int = 1000) -> None:
        self._every, self._clock, self._max_keys = every, clock, max_keys
        #: By key: when it was last allowed, and how many were suppressed since; oldest first.
        self._state: dict[str, tuple[float, int]] = {}

    def allows(self, key: str) -> int | None:
        """Return ``None`` to suppress this event, else how many were suppressed before it."""
        now = self._clock()
        allowed_at, suppressed = self._state.get(key, _NEVER)
        if now - allowed_at < self._every:
            self._state[key] = (allowed_at, suppressed + 1)
            return None
        if key not in self._state and len(self._state) >= self._max_keys:
            oldest = next(iter(self._state))
            if now - self._state[oldest][0] < self._every:
                return None
            del self._state[oldest]
        self._state.pop(key, None)
        self._state[key] = (now, 0)
        return suppressed

    def suppresses(self, key: str) -> bool:
        """Suppress and count an event of a key that was allowed less than ``every`` seconds ago.

        Returns False for all others, which is no answer yet: ask ``allows``. A flood of events
        costs a third of what that costs.
        """
        allowed_at, suppressed = self._state.get(key, _NEVER)
        if self._clock() - allowed_at >= self._every:
            return False
        self._state[key] = (allowed_at, suppressed + 1)
        return True


class LimitedLogger:
    """Writes at most one line per key in ``every`` seconds to ``logger``.

    A line that follows suppressed lines of its key has the field ``suppressed``, their number.
    ``clock`` and ``max_keys`` are those of ``Limiter``.
    """

    def __init__(
        self,
        logger: logging.Logger,
        every: float,
        clock: Callable[[], float] = time.monotonic,
        max_keys: int = 1000,
    ) -> None:
        self._logger, self._limiter = logger, Limiter(every, clock, max_keys)

    def log(self, level: int, message: str, *, key: str, **fields: object) -> bool:
        """Write ``message`` and ``fields`` unless the logger or the limit suppresses the line.

        Fields become text only if the line is written. A line below the logger's level does not
        count as suppressed. Return whether the limit has let the line pass.
        """
        if not self._logger.isEnabledFor(level):
            return True
        suppressed = self._limiter.allows(key)
        if suppressed is None:
            return False
        if suppressed:
            fields["suppressed"] = suppressed
        self._logger.log(level, message, extra={"fields": fields})
        return True

    def suppresses(self, key: str) -> bool:
        """Suppress and count a line whose key was written a moment ago; it needs no fields.

        Returns False for all others, which are then to be passed to ``log``.
        """
        return self._limiter.suppresses(key)

    def warning(self, message: str, *, key: str, **fields: object) -> None:
        """Do what ``log`` does, at the level of a warning."""
        self.log(logging.WARNING, message, key=key, **fields)
