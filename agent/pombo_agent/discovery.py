"""Finds the collectors: the ``COLLECTORS`` of each module in ``collectors``."""

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules

from pombo_agent import collectors
from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Usage

#: The module of systems other than Linux, where it is the only one.
_FALLBACK = "psutil_fallback"


def module_names() -> list[str]:
    """Return the names of the modules that have collectors for this system."""
    if sys.platform != "linux":
        return [_FALLBACK]
    return sorted(name for _, name, _ in iter_modules(collectors.__path__) if name != _FALLBACK)


def collectors_in(module: str) -> list[Collector]:
    """Import a module of ``collectors``, and return its collectors, if it has any."""
    return getattr(import_module(f"{collectors.__name__}.{module}"), "COLLECTORS", [])


def collectors_of(modules: Iterable[str]) -> dict[str, Collector]:
    """Import modules, and return their collectors by name: those that wait after all others.

    Raises:
        ValueError: when two collectors have one name.
    """
    found: dict[str, Collector] = {}
    for collector in chain.from_iterable(map(collectors_in, modules)):
        if found.setdefault(collector.name, collector) is not collector:
            raise ValueError(f"two collectors have the name {collector.name}")
    return dict(sorted(found.items(), key=lambda item: (item[1].waits, item[0])))


def all_collectors() -> dict[str, Collector]:
    """Return the collectors of this system, by name."""
    return collectors_of(module_names())


def usage_function() -> Callable[[str], Usage]:
    """Return the function that returns the sizes of the filesystem at a mount point.

    It may never return.
    """
    module = "filesystem" if sys.platform == "linux" else _FALLBACK
    found: Callable[[str], Usage] = import_module(f"{collectors.__name__}.{module}").usage
    return found
