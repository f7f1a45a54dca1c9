"""The work whose instructions the budget counts: one report of every host, one exposition.

Prints one line of JSON: how many reports were taken, and how many samples were rendered.
"""

import gc
import json
import sys
from collections import deque
from typing import Final

from bench.harness.callgrind import mark
from bench.harness.fleet import fleet
from bench.harness.in_process import InProcessExporter

HOSTS = 60  # with 3 of the largest shape
KIND: Final = "few"
_WARM = 2  # reports: rates need two, and Python specializes bytecode that has run some times


def run(exporter: InProcessExporter) -> None:
    """Take reports and render, and mark two parts: taking one report, rendering once."""
    senders = fleet(HOSTS, KIND)
    for report in range(_WARM):
        exporter.take(senders.datagrams(report), report)
    samples = exporter.samples(_WARM)  # the first exposition makes label texts
    datagrams = list(senders.datagrams(_WARM))
    gc.collect()
    gc.freeze()  # as the exporter does with hosts
    mark()
    exporter.take(datagrams, _WARM)
    mark()
    deque(exporter.exposition(_WARM), maxlen=0)
    mark()
    assert not exporter.refused
    json.dump({"reports": HOSTS, "samples": samples}, sys.stdout)


if __name__ == "__main__":
    run(InProcessExporter())
