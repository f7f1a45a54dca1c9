"""A collector: its function, whether it is enabled by default, and its flags."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.flags import Flag, Flags
from pombo_agent.collecting.sources import Sources

Collect = Callable[[Sources], list[Section]]


class Collector(NamedTuple):
    """A collector ``--collector.NAME``; the name is node_exporter's where it has one.

    ``collect`` returns the sections of this moment. With ``waits``, it may wait for its deadline,
    and is run after the others. ``prefix`` is the name in its own flags, where it is another.
    """

    name: str
    collect: Collect
    enabled: bool = True
    flags: tuple[Flag, ...] = ()
    waits: bool = False
    prefix: str = ""

    def parameter(self, own: Flag) -> str:
        """Return the whole name of one of its own flags, without the dashes."""
        return f"collector.{self.prefix or self.name}.{own.name}"


def with_flags(collect: Collect, flags: Flags) -> Collect:
    """Return a function that collects with these values of the collector's flags."""
    return partial(_collect, collect, flags)


def _collect(collect: Collect, flags: Flags, sources: Sources) -> list[Section]:
    return collect(sources._replace(flags=flags))
