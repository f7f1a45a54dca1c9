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

    Each host that was listed is read once, in the order in which hosts were first seen. Close a
    snapshot that is not read to its end, or use it as a context manager.
    """

    def __init__(self, hosts: Sequence[Host], now: float, wall: float) -> None:
        self.now, self.wall = now, wall
        self._hosts = hosts
        self._last_place = hosts[-1].place if hosts else -1  # of the last host of all
        self._read_place = -1  # of the last host that was read
        #: Copies of hosts that changed before they were read, by their place.
        self.copies: dict[int, Host] = {}

    @property
    def is_open(self) -> bool:
        """Whether there are hosts that have not been read yet."""
        return self._read_place < self._last_place

    def keep(self, host: Host) -> None:
        """Copy a host that is about to change, unless it has already been read or copied."""
        if self._read_place < host.place <= self._last_place and host.place not in self.copies:
            self.copies[host.place] = host.copy()

    def __iter__(self) -> Iterator[Host]:
        """Yield the hosts that were listed at the moment of the snapshot.

        Whether a host was listed is not asked before: of 50,000 hosts that would take 5 ms at once.
        Use each host only within the step that gets it: after that, a report may change it.
        """
        for host in self._hosts:
            if self._read_place >= self._last_place:  # closed
                return
            self._read_place = host.place
            then = self.copies.pop(host.place, host) if self.copies else host
            if then.is_listed:
                yield then

    def close(self) -> None:
        """End the reading: drop the copies, and need no more of them."""
        self._read_place = self._last_place
        self.copies.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
