"""Pressure stall information: time that tasks waited for CPU, memory and I/O."""

from pombo_wire import Part, Pressure

from pombo_agent.collectors.sources import NoDataError, Sources, read_texts

# The field of each line: "some" when at least one task waits, "full" when all tasks do. "full" is
# not defined for the CPU of a whole system.
_FIELDS = {
    "cpu": {"some": "cpu_waiting"},
    "io": {"some": "io_waiting", "full": "io_stalled"},
    "memory": {"some": "memory_waiting", "full": "memory_stalled"},
}


def collect(sources: Sources) -> list[Part]:
    """Return the ``pressure`` section."""
    files = read_texts(sources.procfs / "pressure", _FIELDS)
    known: dict[str, float] = {}
    for resource, text in files.items():
        known |= parse_pressure(resource, text)
    if not known:
        raise NoDataError("no pressure stall information")
    return [("pressure", Pressure(**known))]


def parse_pressure(resource: str, text: str) -> dict[str, float]:
    """Return the totals in a file of ``/proc/pressure``, in seconds, by field of the wire."""
    found = {}
    for line in text.splitlines():
        kind, *_, total = line.split()
        if name := _FIELDS[resource].get(kind):
            found[name] = int(total.removeprefix("total=")) / 1e6
    return found
