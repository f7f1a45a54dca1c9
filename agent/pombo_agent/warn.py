"""A warning that would repeat with every report is logged once in a while."""

import logging
import time
from collections.abc import Callable

from pombo_cli.logs import Limiter

EVERY_SECONDS = 600.0

#: Called with a key, which says what counts as the same warning, the message, and its fields.
Warn = Callable[..., None]

_log = logging.getLogger("pombo_agent")


def limited(clock: Callable[[], float] = time.monotonic) -> Warn:
    """Return a function that logs one warning a key each ten minutes."""
    limiter = Limiter(EVERY_SECONDS, clock)

    def warn(key: str, message: str, **fields: object) -> None:
        held_back = limiter.allows(key)
        if held_back is None:
            return
        if held_back:
            fields["repeated"] = held_back
        _log.warning(message, extra={"fields": fields})

    return warn
