"""An exporter that watches itself: how long the cyclic collector and other work stop it.

``python -m bench.programs.watched FLAGS…`` is ``pombo-exporter FLAGS…``. Told to stop, it
prints one line of JSON. Watching costs a little, so no CPU is measured here. Stretches are
in the exporter's own CPU time: what another program takes of the core is not its doing.
"""

import gc
import json
import sys
from collections.abc import Callable
from socket import socket
from time import thread_time

from pombo_exporter import __main__ as exporter
from pombo_exporter.ingest import receiver


class _Watch:
    """The longest of some stretches, in CPU seconds, their sum, and how many there were."""

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
    """Run the exporter, watched."""
    pauses, away = _Watch(), _Watch()

    def collecting(phase: str, _: object) -> None:
        pauses.begin() if phase == "start" else pauses.end()

    drain = receiver.drain

    def watched(sock: socket, take: Callable[..., None]) -> int:
        if collecting not in gc.callbacks:  # what came before, nobody waited for
            gc.callbacks.append(collecting)
        away.end()
        count = drain(sock, take)
        if count:  # an idle socket is not looked at, and needs not be
            away.begin()
        return count

    receiver.drain = watched
    try:
        exporter.main(standalone_mode=False)
    finally:
        found = {
            "collections": pauses.count,
            "collection_seconds": pauses.sum,
            "longest_collection_seconds": pauses.longest,
            "longest_away_seconds": away.longest,
        }
        json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
