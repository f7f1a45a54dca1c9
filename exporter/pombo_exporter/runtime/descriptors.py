"""How many connections the process's limit of open files has room for."""

import logging
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_RESERVE: Final = 16  # for the state file, files of /proc, and connections that are being accepted


def connections_within_limit(wanted: int) -> int:
    """Return how many connections may be open: ``wanted``, or fewer if there is no room for them.

    Raises the soft limit of open files as far as that needs and the hard limit allows, as programs
    in Go do. Call it once the sockets that listen are open. Warns when there is no room.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    others = sum(1 for _ in Path("/dev/fd").iterdir()) + _RESERVE
    most = hard if hard != resource.RLIM_INFINITY else wanted + others
    if soft != resource.RLIM_INFINITY and soft < wanted + others:
        soft = min(most, wanted + others)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted + others:
        return wanted
    room = max(1, soft - others)
    remedy = f"LimitNOFILE={wanted + others} in the unit, or ulimit -n"
    fields = {"wanted": wanted, "allowed": room, "open_files": soft, "remedy": remedy}
    log.warning("the limit of open files allows fewer connections", extra={"fields": fields})
    return room
