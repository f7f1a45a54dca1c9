"""Pressure stall information: time that tasks waited for CPU, memory and I/O."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import family, record

# The field of each line: "some" when at least one task waits, "full" when all tasks do. "full" is
# not defined for the CPU of a whole system.
_FIELDS = {
    "cpu": {b"some": "cpu_waiting"},
    "io": {b"some": "io_waiting", b"full": "io_stalled"},
    "memory": {b"some": "memory_waiting", b"full": "memory_stalled"},
}

# Since Linux 6.1; there is no "some".
_IRQ = {b"full": "irq_stalled"}
_IRQ_HELP = "Total time in seconds no process could make progress due to IRQ congestion"
_TOTAL = b"total="


def collect(sources: Sources) -> list[Section]:
    """Return the ``pressure`` section, and the stalls of IRQs as an open family."""
    known: dict[str, float | None] = {}
    for resource, fields in _FIELDS.items():
        file = sources.optional(f"{sources.procfs}/pressure/{resource}")
        if file is not None:
            known |= parse_pressure(file, fields)
    file = sources.optional(f"{sources.procfs}/pressure/irq")
    irq = parse_pressure(file, _IRQ) if file else {}
    if not known and not irq:
        raise NoDataError("no pressure stall information")
    stalled = [(irq.get("irq_stalled"),)]
    return [
        *record("pressure", known),
        *family("node_pressure_irq_stalled_seconds_total", "counter", _IRQ_HELP, (), stalled),
    ]


def parse_pressure(file: File, fields: dict[bytes, str]) -> dict[str, float | None]:
    """Return the totals in a file of ``/proc/pressure``, in seconds, by field of the wire."""
    found: dict[str, float | None] = {}
    for kind, *values in file.words():
        totals = [value for value in values if value.startswith(_TOTAL)]
        if kind in fields and totals:
            count = file.number(totals[0][len(_TOTAL) :])
            # Divided twice, since the result is rounded otherwise than that of one division.
            found[fields[kind]] = None if count is None else count / 1000 / 1000
        elif kind not in {b"some", b"full"} or not totals:
            file.skip("line", b" ".join((kind, *values)))
    return found


COLLECTORS = [Collector("pressure", collect)]
