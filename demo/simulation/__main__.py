"""Lets simulated hosts report to exporters through a bad network, until its input ends.

It reads one request in each line of its input, a JSON object, and answers each by a line. The
first line that it writes has the ports to which real agents report, one for each exporter.
"""

import argparse
import heapq
import os
import selectors
import socket
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import numpy as np
import orjson

from demo.simulation.fleet import KEPT, Fleet
from demo.simulation.network import Conditions, Fate, Network, Way

_LONGEST_WAIT: Final = 0.2  # seconds
_SHORTEST_WAIT: Final = 0.004  # seconds: waking for each report alone would cost more
_MOST_BEHIND: Final = 1.0  # seconds; on a machine that is too slow, intervals get longer
_BEGINNING: Final = 2  # intervals, in which all hosts report for the first time
_PACE: Final = 1.5  # times the usual one
_LONGEST_BURST: Final = 0.02  # seconds
_AT_ONCE: Final = 256  # datagrams of real agents
_LONGEST: Final = 2048  # bytes of a datagram


class Simulation:
    """The hosts, their network, and what the demonstration asks of them."""

    def __init__(self, fleet: Fleet, network: Network, interval: float) -> None:
        self._fleet, self._network, self._interval = fleet, network, interval
        self._fates = np.zeros((len(fleet), KEPT, len(network.ways)), np.uint8)
        self._behind = 0.0
        self._selector = selectors.DefaultSelector()
        self._ends = False
        self._input = b""
        self._requests: dict[str, Callable[..., Any]] = {
            "set": self._set,
            "heard": self._heard,
            "status": self._status,
            "host": self._host,
            "equal": self._fleet.equal,
        }
        os.set_blocking(sys.stdin.fileno(), False)
        self._selector.register(sys.stdin, selectors.EVENT_READ, self._read)
        self._ports = [*map(self._relayed, network.ways)]

    def run(self) -> None:
        """Report until the input ends."""
        self._answer({"ports": self._ports})
        start = before = monotonic()
        count = len(self._fleet)
        # Evenly spread. An exporter has more to do for the first report of a host than for others.
        due = [(start + _BEGINNING * self._interval * at / count, at) for at in range(count)]
        while not self._ends:
            now = monotonic()
            # After a pause, reports follow each other a little faster. All at once, they would be
            # more than the receive buffer of an exporter takes.
            most = 1 + round(_PACE * count / self._interval * min(now - before, _LONGEST_BURST))
            before = now
            for _ in range(most):
                planned, host = due[0]
                if planned > now:
                    break
                self._behind = now - planned
                following = max(planned, now - _MOST_BEHIND) + self._interval
                heapq.heapreplace(due, (following, host))
                self._report(host, now)
            self._network.deliver(now)
            delayed = self._network.next_due
            until = min(due[0][0], now + _LONGEST_WAIT if delayed is None else delayed)
            for key, _ in self._selector.select(max(_SHORTEST_WAIT, until - monotonic())):
                key.data()

    def _report(self, host: int, now: float) -> None:
        datagram = self._fleet.report(host)
        number = self._fleet.reports[host]
        fates = self._fates[host, number % KEPT]
        for at, way in enumerate(self._network.ways):
            fates[at] = self._network.carry(way, datagram, now, (host, number))

    def _relayed(self, way: Way) -> int:
        """Open a socket whose datagrams take this way; return its port."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)  # noqa: FBT003 - the socket's own way

        def carry() -> None:
            for _ in range(_AT_ONCE):
                try:
                    datagram = sock.recv(_LONGEST)
                except BlockingIOError:
                    return
                self._network.carry(way, datagram, monotonic())

        self._selector.register(sock, selectors.EVENT_READ, carry)
        port: int = sock.getsockname()[1]
        return port

    def _read(self) -> None:
        """Answer the requests that have come."""
        found = os.read(sys.stdin.fileno(), 2**20)
        self._ends = not found
        *lines, self._input = (self._input + found).split(b"\n")
        for line in lines:
            request = orjson.loads(line)
            self._answer(self._requests[request.pop("request")](**request))

    def _answer(self, answer: object) -> None:
        sys.stdout.buffer.write(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
        sys.stdout.buffer.flush()

    def _set(self, lost: float, doubled: float, delayed: float) -> None:
        """Set the shares of datagrams that are lost, doubled and delayed."""
        self._network.conditions = Conditions(lost, doubled, delayed)

    def _heard(self, ways: list[bool]) -> None:
        """Note which exporters run."""
        for at, (way, is_heard) in enumerate(zip(self._network.ways, ways, strict=True)):
            if not is_heard:
                for host, number in self._network.close(way):
                    if self._fates[host, number % KEPT, at] == Fate.DELAYED:
                        self._fates[host, number % KEPT, at] = Fate.UNHEARD
            way.is_heard = is_heard

    def _status(self) -> dict[str, object]:
        """Return the conditions, what became of all datagrams, and how late the last report was."""
        return {
            "conditions": self._network.conditions,
            "ways": [
                {key: getattr(way, key) for key in ("sent", "lost", "doubled", "delayed")}
                for way in self._network.ways
            ],
            "behind_seconds": self._behind,
        }

    def _host(self, name: str, reports: list[int]) -> dict[str, object] | None:
        """Return what a host had counted at some of its reports, and the fates of the last ones.

        None where there is no such host. The fates are by way, the oldest report first.
        """
        host = self._fleet.number(name)
        if host is None:
            return None
        last = self._fleet.reports[host]
        shown = range(max(1, last - KEPT + 1), last + 1)
        return {
            "totals": [self._fleet.totals(host, report) for report in reports],
            "reports": last,
            "fates": self._fates[host, [report % KEPT for report in shown]].T.tolist(),
        }


def main() -> None:
    """Simulate what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--interval", type=float, required=True, help="seconds")
    parser.add_argument("--exporter", type=int, action="append", required=True, help="UDP port")
    arguments = parser.parse_args()
    ways = [Way(("127.0.0.1", port)) for port in arguments.exporter]
    fleet = Fleet(arguments.hosts, arguments.interval)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        network = Network(sock, ways, arguments.interval)
        Simulation(fleet, network, arguments.interval).run()


if __name__ == "__main__":
    main()
