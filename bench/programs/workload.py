"""The work whose instructions the budget counts: one report of every host, one exposition.

Prints one line of JSON: how many datagrams were taken, and how many samples were rendered.
"""

import gc
import json
import sys
from collections import deque

from bench.harness.callgrind import mark
from bench.harness.fleet import fleet
from bench.harness.in_process import InProcessExporter

HOSTS = 256
_WARM = 2  # reports: rates need two, and Python specializes bytecode that has run some times


def run(exporter: InProcessExporter) -> None:
    """Take reports and render, and mark two parts: taking one report, rendering once."""
    templates = list(fleet(HOSTS))
    for report in range(_WARM):
        exporter.take((template.datagram(report) for template in templates), report)
    samples = count_samples(exporter, _WARM)  # the first exposition makes label texts
    datagrams = [template.datagram(_WARM) for template in templates]
    gc.collect()
    gc.freeze()  # as the exporter does with hosts
    mark()
    exporter.take(datagrams, _WARM)
    mark()
    deque(exporter.exposition(_WARM), maxlen=0)
    mark()
    assert not exporter.refused
    json.dump({"datagrams": len(datagrams), "samples": samples}, sys.stdout)


def count_samples(exporter: InProcessExporter, report: int) -> int:
    """Return how many samples the exposition has."""
    text = b"".join(exporter.exposition(report))
    return sum(not line.startswith(b"#") for line in text.splitlines() if line)


if __name__ == "__main__":
    run(InProcessExporter())
