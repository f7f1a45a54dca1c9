"""Executes the process again after its flags are parsed.

What parsing needs takes a fourth of the memory, and an agent runs for months. The process keeps
its id, its command line and its files.
"""

import os
import sys

# The process that executed itself, and the options of which its flags consist.
_VARIABLE = "POMBO_AGENT_PARSED"


def parsed_options() -> str | None:
    """Return the options with which this process executed itself, ``None`` where it did not."""
    process, _, options = os.environ.pop(_VARIABLE, "").partition(" ")
    return options if process == str(os.getpid()) else None


def reexecute(options: str) -> None:
    """Execute this process again with these options; return where that is impossible."""
    if os.name != "posix" or not sys.executable:  # elsewhere it would be another process
        return
    # Threads share one heap of the C library: their own ones would take a third of a megabyte.
    variables = {"MALLOC_ARENA_MAX": "1", **os.environ, _VARIABLE: f"{os.getpid()} {options}"}
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], variables)  # noqa: S606
    except OSError:
        return
