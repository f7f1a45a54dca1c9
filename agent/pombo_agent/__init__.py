"""The agent: sends metrics of its host to exporters over UDP."""

__version__: str

#: The commit of which the agent was built; a build may write it here.
__revision__ = ""


def __getattr__(name: str) -> str:
    """Read the version of the installed package when it is first asked for.

    The module that reads it takes a megabyte of memory. So the process image that sends gets the
    version from the image that parsed the flags: see ``reexecute``.
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415

    globals()[name] = found = version("pombo-agent")
    return found
