"""The log line about what is sent and where, once for each server."""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pombo_wire.sealing import overhead

from pombo_agent.settings import Options

if TYPE_CHECKING:
    from pombo_agent.transport.replicas import Replicas

_SECONDS_PER_HOUR = 3600


class Announcement:
    """Logs, once for each server, where reports go, in which form, and how many bytes they take.

    A server whose address is not known yet is announced with a later report.
    """

    def __init__(self, options: Options, replicas: "Replicas[Any]", log: logging.Logger) -> None:
        self._options, self._replicas, self._log = options, replicas, log
        self._announced: set[str] = set()
        self._is_done = False

    def note(self, datagrams: Sequence[bytes]) -> None:
        """Note that a report was handed over; its datagrams are not sealed yet."""
        if self._is_done:
            return
        sizes = report_sizes(self._options, datagrams)
        for where in self._replicas.where():
            server = str(where["server"])
            if server in self._announced:
                continue
            self._announced.add(server)
            fields = {
                **where,
                "form": f"{self._options.wire}, {'sealed' if self._options.key_file else 'plain'}",
                "datagrams": len(sizes),
                "bytes": sum(sizes),
                "bytes_per_hour": bytes_per_hour(self._options, sizes),
            }
            self._log.info("reports are sent", extra={"fields": fields})
        self._is_done = self._announced >= {*self._replicas.in_use}


def report_sizes(options: Options, datagrams: Iterable[bytes]) -> list[int]:
    """Return the bytes of the datagrams of a report as they are sent: sealed if there is a key."""
    seal = overhead(options.name.encode()) if options.key_file else 0
    return [len(datagram) + seal for datagram in datagrams]


def bytes_per_hour(options: Options, sizes: Iterable[int], headers: int = 0) -> int:
    """Return the bytes of an hour's reports; ``headers`` are those of one datagram."""
    return round(sum(size + headers for size in sizes) * _SECONDS_PER_HOUR / options.interval)
