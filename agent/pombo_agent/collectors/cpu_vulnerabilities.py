"""Vulnerabilities of the processor, and what the kernel does about them."""

from functools import partial

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, family

_HELP = (
    "Details of each CPU vulnerability reported by sysfs. The value of the series is an int encoded"
    " state of the vulnerability. The same state is stored as a string in the label"
)
_LABELS = ("codename", "state", "mitigation")

# A text starts with its state. Before that of itlb_multihit there is one of these words.
_STATES = ("not affected", "vulnerable", "mitigation", "unknown")
_BEFORE = ("KVM: ", "Processor ")


def collect(sources: Sources) -> list[Section]:
    """Return the open family ``node_cpu_vulnerabilities_info``."""
    vulnerabilities = f"{sources.sysfs}/devices/system/cpu/vulnerabilities"
    rows = sources.rows(vulnerabilities, partial(_row, sources))
    return family("node_cpu_vulnerabilities_info", "gauge", _HELP, _LABELS, rows)


def _row(sources: Sources, path: str, name: str) -> tuple[Cell, ...]:
    """Return the row of a vulnerability.

    Raises:
        OSError: when the file cannot be read.
    """
    text = sources.file(path).text
    for word in _BEFORE:
        text = text.removeprefix(word)
    state = next((state for state in _STATES if text.lower().startswith(state)), "")
    return name, state or "unknown", text[len(state) :].removeprefix(": "), 1


COLLECTORS = [Collector("cpu_vulnerabilities", collect, enabled=False)]
