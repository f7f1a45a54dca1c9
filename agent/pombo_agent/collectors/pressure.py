"""Pressure: the time that tasks have waited for the processor, for memory, for I/O."""

from pombo_wire import Part, Pressure

from pombo_agent.collectors.sources import NoDataError, Sources, texts_of

# What the kernel calls it when some tasks wait, and when all do. No core, no task runs: of the
# processor, "full" means nothing.
_WORDS = {
    "cpu": {"some": "cpu_waiting"},
    "io": {"some": "io_waiting", "full": "io_stalled"},
    "memory": {"some": "memory_waiting", "full": "memory_stalled"},
}


def collect(sources: Sources) -> list[Part]:
    """Return the ``pressure`` section."""
    files = texts_of(sources.procfs / "pressure", _WORDS)
    known: dict[str, float] = {}
    for resource, text in files.items():
        known |= parse_pressure(resource, text)
    if not known:
        raise NoDataError("the kernel does not tell pressure")
    return [("pressure", Pressure(**known))]


def parse_pressure(resource: str, text: str) -> dict[str, float]:
    """Return what a file of ``/proc/pressure`` says, in seconds, named as the wire's fields."""
    found = {}
    for line in text.splitlines():
        word, *_, total = line.split()
        if name := _WORDS[resource].get(word):
            found[name] = int(total.removeprefix("total=")) / 1e6
    return found
