"""Counts the exporter's work, not its time: the same on any machine with the same Python.

``python -m bench.budget`` renews the figures of ``tests/bench/test_budget``.
"""

import gc
import json
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from inspect import currentframe
from pathlib import Path
from types import FrameType
from typing import Any

from bench.harness.fleet import fleet
from bench.harness.in_process import InProcessExporter

FIGURES = Path(__file__).with_name("budget.json")
HOSTS = 256

#: Of the Pythons that are supported, 3.11 executes the most bytecodes: renew with that one.
SLACK = 1.05


class Exporter:
    """Hosts in memory, and what they report next."""

    def __init__(self) -> None:
        self._inside = InProcessExporter()
        self._templates = list(fleet(HOSTS))
        self._turn = 0

    def datagrams(self) -> list[bytes]:
        """Return those of the next report of every host."""
        made = [template.datagram(self._turn) for template in self._templates]
        self._turn += 1
        return made

    def take(self, datagrams: list[bytes]) -> None:
        """Take them in."""
        self._inside.take(datagrams, self._turn)
        assert not self._inside.refused

    def page(self) -> bytes:
        """Return the page."""
        return b"".join(self._inside.exposition(self._turn))

    def samples(self) -> int:
        """Return how many the page has."""
        return sum(line[:1] not in (b"", b"#") for line in self.page().splitlines())


def steps(work: Callable[[], object]) -> int:
    """Return how many bytecodes are executed and how many functions of C are called.

    Python 3.13 may count a function's bytecodes from its second call on only.
    """
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    def profile(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    here = currentframe()
    assert here is not None
    here.f_trace_opcodes = True  # Python 3.12 wants one before settrace
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count


def measured() -> dict[str, float]:
    """Return the figures, by what they count."""
    exporter = Exporter()
    for _ in range(2):
        exporter.take(exporter.datagrams())
    exporter.page()  # what is made once
    for _ in range(2):  # the second counts
        datagrams = exporter.datagrams()
        admission = steps(partial(exporter.take, datagrams)) / len(datagrams)
    samples = exporter.samples()
    for _ in range(2):
        rendering = steps(exporter.page) / samples
    del exporter
    gc.collect()
    tracemalloc.start()
    try:
        exporter = Exporter()
        alone, _ = tracemalloc.get_traced_memory()
        for _ in range(2):
            exporter.take(exporter.datagrams())
        gc.collect()
        held = (tracemalloc.get_traced_memory()[0] - alone) / samples
    finally:
        tracemalloc.stop()
    return {
        "steps_a_datagram": round(admission, 1),
        "steps_a_sample": round(rendering, 3),
        "bytes_held_a_sample": round(held, 1),
    }


def main() -> None:
    """Write the figures of this Python down, as they are now."""
    FIGURES.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(FIGURES.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
