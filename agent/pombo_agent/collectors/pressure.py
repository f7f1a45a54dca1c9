"""Pressure stall information: time that tasks waited for CPU, memory and I/O."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import record

# The field of each line: "some" when at least one task waits, "full" when all tasks do. "full" is
# not defined for the CPU of a whole system.
_FIELDS = {
    "cpu": {b"some": "cpu_waiting"},
    "io": {b"some": "io_waiting", b"full": "io_stalled"},
    "memory": {b"some": "memory_waiting", b"full": "memory_stalled"},
}
_TOTAL = b"total="


def collect(sources: Sources) -> list[Section]:
    """Return the ``pressure`` section."""
    known: dict[str, float | None] = {}
    for resource, fields in _FIELDS.items():
        file = sources.optional(f"{sources.procfs}/pressure/{resource}")
        if file is not None:
            known |= parse_pressure(file, fields)
    if not known:
        raise NoDataError("no pressure stall information")
    return record("pressure", known)


def parse_pressure(file: File, fields: dict[bytes, str]) -> dict[str, float | None]:
    """Return the totals in a file of ``/proc/pressure``, in seconds, by field of the wire."""
    found: dict[str, float | None] = {}
    for kind, *values in file.words():
        totals = [value for value in values if value.startswith(_TOTAL)]
        if kind in fields and totals:
            count = file.number(totals[0][len(_TOTAL) :])
            found[fields[kind]] = None if count is None else count / 1e6
        elif kind not in {b"some", b"full"} or not totals:
            file.skip("line", b" ".join((kind, *values)))
    return found


COLLECTORS = [Collector("pressure", collect)]
