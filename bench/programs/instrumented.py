"""An exporter that times the pauses of its cyclic collector, and how long its socket waits.

``python -m bench.programs.instrumented FLAGS…`` is ``pombo-exporter FLAGS…``. When it is
stopped, it prints one line of JSON. Timing costs a little, so no CPU is measured here. Spans
are in the exporter's own CPU time, without what other programs take of the core.
"""

import gc
import json
import sys
from time import thread_time
from typing import Any

from bench.harness.in_process import Drain, Drained, run_command


class _Spans:
    """The longest of some spans, in CPU seconds, their sum, and how many there were."""

    def __init__(self) -> None:
        self.longest, self.count, self.sum = 0.0, 0, 0.0
        self._began = 0.0

    def begin(self) -> None:
        self._began = thread_time()

    def end(self) -> None:
        if self._began:
            took = thread_time() - self._began
            self.longest = max(self.longest, took)
            self.count += 1
            self.sum += took
            self._began = 0.0


def main() -> None:
    """Run the exporter, and print what was timed."""
    collections, undrained = _Spans(), _Spans()

    def collecting(phase: str, _: object) -> None:
        collections.begin() if phase == "start" else collections.end()

    def instrument(drain: Drain) -> Drain:
        def timed(*arguments: Any, **options: Any) -> Drained:
            if collecting not in gc.callbacks:  # collections while it starts delay no datagram
                gc.callbacks.append(collecting)
            undrained.end()
            drained = drain(*arguments, **options)
            if drained.datagrams:  # an idle socket is drained when it becomes readable
                undrained.begin()
            return drained

        return timed

    try:
        run_command(instrument)
    finally:
        found = {
            "collections": collections.count,
            "collection_seconds": collections.sum,
            "longest_collection_seconds": collections.longest,
            "longest_undrained_seconds": undrained.longest,
        }
        json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
