"""What the exporter may spend on a report and on a sample: ceilings that a test enforces.

``python -m bench.budget`` prints what it spends. Instructions are counted instead of time, so
that a busy machine does not matter. The ceilings leave about a quarter of room above CPython
3.11 on x86-64, for other versions and processors. A change that needs more raises its ceiling
and says why.
"""

import gc
import json
import sys
import tracemalloc

from bench.harness.callgrind import instructions
from bench.harness.fleet import fleet
from bench.harness.in_process import InProcessExporter
from bench.programs.workload import HOSTS, KIND

PER_REPORT = "instructions per report"
PER_SAMPLE = "instructions per sample rendered"
MEMORY = "bytes in memory per sample"

#: By figure. A report of the benchmark's fleet has 4.8 datagrams, 1,404 values and 1,619 samples
#: on average.
CEILINGS = {PER_REPORT: 1_950_000, PER_SAMPLE: 3_000, MEMORY: 20}

_WORKLOAD = ("-m", "bench.programs.workload")


def spent(workload: tuple[str, ...] = _WORKLOAD) -> dict[str, float]:
    """Return the instructions that a workload spends, by figure.

    ``workload`` is Python's arguments; the program has to mark and print as
    ``bench.programs.workload`` does.

    Raises:
        RuntimeError: when the program fails.
    """
    (ingest, rendering), output = instructions(*workload)
    work = json.loads(output)
    return {
        PER_REPORT: ingest / work["reports"],
        PER_SAMPLE: rendering / work["samples"],
    }


def stored() -> dict[str, float]:
    """Return the memory of hosts that have sent two reports, by figure.

    It is what Python and numpy allocated, without what the allocator adds.
    """
    senders = fleet(HOSTS, KIND)
    reports = [list(senders.datagrams(report)) for report in range(2)]
    # What is allocated once in a process is not of these hosts.
    InProcessExporter().take(reports[0])
    tracemalloc.start()
    try:
        exporter = InProcessExporter()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for report, datagrams in enumerate(reports):
            exporter.take(datagrams, report)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return {MEMORY: (after - before) / exporter.samples(1)}


def main() -> None:
    """Print every figure and its ceiling."""
    for name, figure in (spent() | stored()).items():
        sys.stdout.write(f"{name}: {figure:,.0f} of {CEILINGS[name]:,}\n")


if __name__ == "__main__":
    main()
