"""Interrupts: how often each core has served those of each device."""

from collections.abc import Iterator

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import filtered, switch
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, family

_LABELS = ("cpu", "type", "info", "devices")

#: The texts of an interrupt, and its count on each core.
Interrupt = tuple[str, str, str, list[float | None]]


def collect(sources: Sources) -> list[Section]:
    """Return the open family ``node_interrupts_total``."""
    wanted = sources.flags.filter("name")
    zeros = sources.flags.switch("include-zeros")
    rows: list[tuple[Cell, ...]] = []
    for name, info, devices, counts in parse_interrupts(sources.proc("interrupts")):
        if wanted.keeps(f"{name};{info};{devices}"):
            rows += [
                (str(core), name, info, devices, count)
                for core, count in enumerate(counts)
                if zeros or count
            ]
    return family("node_interrupts_total", "counter", "Interrupt details.", _LABELS, rows)


def parse_interrupts(file: File) -> Iterator[Interrupt]:
    """Yield the interrupts in ``/proc/interrupts``.

    Cores are counted from 0, whatever the header names them, as node_exporter does. Lines that do
    not have a count for each core and a text, such as ``ERR``, are not yielded.
    """
    header, *lines = [*file.lines(), b""]
    cores = len(header.split())
    for line in lines:
        name, colon, rest = line.partition(b":")  # on aarch64, a count may follow at once
        words = rest.split()
        if not colon or len(words) <= cores:
            continue
        texts = words[cores:]
        is_number = name.strip().isdigit()
        info, devices = (texts[:1], texts[1:]) if is_number else (texts, [])
        counts = file.numbers(words[:cores])
        yield decoded(name.lstrip(b" ")), _joined(info), _joined(devices), counts


def _joined(words: list[bytes]) -> str:
    return decoded(b" ".join(words))


FLAGS = (
    filtered("name"),
    switch("include-zeros", "Include interrupts that have a zero value.", default=True),
)
COLLECTORS = [Collector("interrupts", collect, enabled=False, flags=FLAGS)]
