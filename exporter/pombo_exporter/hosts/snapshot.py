"""Hosts as they were at one moment, read in steps while reports go on arriving.

To copy ten thousand hosts at once would stop the event loop for tens of milliseconds. So nothing is
copied when a snapshot is taken: the roster copies a host just before it changes it, for each
snapshot that has not yet read that host (copy on write).
"""

from collections.abc import Iterator, Sequence
from typing import Self

from pombo_exporter.hosts.host import Host


class Snapshot:
    """The hosts at ``now`` (monotonic clock) and ``wall`` (wall clock), both in seconds.

    Each host is read once, in the order in which hosts were first seen. Close a snapshot that is
    not read to its end, or use it as a context manager.
    """

    def __init__(self, hosts: Sequence[Host], now: float, wall: float) -> None:
        self.now, self.wall = now, wall
        self._hosts = hosts
        self._last = hosts[-1].number if hosts else -1
        self._read_to = -1  # number of the last host that was read
        #: Copies of hosts that changed before they were read, by their number.
        self.copies: dict[int, Host] = {}

    def __len__(self) -> int:
        """Return the number of hosts."""
        return len(self._hosts)

    @property
    def is_open(self) -> bool:
        """Whether there are hosts that were not read yet."""
        return self._read_to < self._last

    def keep(self, host: Host) -> None:
        """Copy a host that is about to change, unless it was read or copied already."""
        if self._read_to < host.number <= self._last and host.number not in self.copies:
            self.copies[host.number] = host.copy()

    def __iter__(self) -> Iterator[Host]:
        """Yield the hosts.

        Each is valid until a report may be admitted, so until the end of the step.
        """
        for host in self._hosts:
            if self._read_to >= self._last:  # closed
                return
            self._read_to = host.number
            yield self.copies.pop(host.number, host) if self.copies else host

    def close(self) -> None:
        """Drop the copies and end the iteration."""
        self._read_to = self._last
        self.copies.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
