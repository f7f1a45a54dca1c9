"""Executes the process again after its flags are parsed.

What parsing needs takes a fourth of the memory, and an agent runs for months. The process keeps
its id, its command line and its files.
"""

import os
import sys

import pombo_agent

# The process that executed itself, its version, and the options of which its flags consist.
_VARIABLE = "POMBO_AGENT_PARSED"


def parsed_options() -> str | None:
    """Return the options with which this process executed itself, ``None`` where it did not."""
    process, _, rest = os.environ.pop(_VARIABLE, "").partition(" ")
    if process != str(os.getpid()):
        return None
    pombo_agent.__version__, _, options = rest.partition(" ")
    return options


def reexecute(options: str) -> None:
    """Execute this process again with these options; return where that is impossible."""
    if os.name != "posix" or not sys.executable:  # elsewhere it would be another process
        return
    # Threads share one heap of the C library: their own ones would take a third of a megabyte.
    parsed = f"{os.getpid()} {pombo_agent.__version__} {options}"
    variables = {"MALLOC_ARENA_MAX": "1", **os.environ, _VARIABLE: parsed}
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], variables)  # noqa: S606
    except OSError:
        return
