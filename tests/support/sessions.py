"""The processes that a program has started and left behind."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def members(session: int) -> dict[int, str]:
    """Return the processes of a session and their commands, without zombies."""
    processes = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (directory / "stat").read_text()
            state, _, _, of_session = stat.rpartition(")")[2].split()[:4]
            if int(of_session) == session and state != "Z":
                command = (directory / "cmdline").read_bytes()
                processes[int(directory.name)] = command.replace(b"\0", b" ").decode()
    return processes


def kill_members(session: int) -> None:
    """Kill what is left of a session."""
    for process in members(session):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
