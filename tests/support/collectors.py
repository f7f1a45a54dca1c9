"""The flags of collectors in tests: nothing is filtered out."""

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import Filter, Flag, Flags, Kind, default_of
from pombo_agent.options import COLLECTORS


def keeping_all(flag: Flag) -> object:
    """Return the value of a flag that is not given, or a filter that keeps everything."""
    return Filter() if flag.kind is Kind.FILTER else default_of(flag)


def flags_of(collector: Collector) -> Flags:
    """Return the values of the flags of a collector that filters nothing out."""
    return Flags({flag.name: keeping_all(flag) for flag in collector.flags})


def flags_of_all() -> Flags:
    """Return such values of the flags of all collectors, some of which share a name."""
    flags = [flag for collector in COLLECTORS.values() for flag in collector.flags]
    return Flags({flag.name: keeping_all(flag) for flag in flags})


def default_excludes() -> dict[str, str | None]:
    """Return the default of each ``--collector.NAME-exclude``, by NAME."""
    return {
        f"{collector.name}.{flag.name}": flag.default
        for collector in COLLECTORS.values()
        for flag in collector.flags
        if flag.kind is Kind.FILTER
    }
