"""Hosts that report to two of several exporters, with the agent's own code for choosing them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic

from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.replicas import Choice, Replicas
from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from pombo_wire.keys import FleetKey, derived
from pombo_wire.rendezvous import order

from faults.harness.fleet import PLACES, Fleet, Host, Transport, step

#: How many exporters get each report.
REPLICAS = 2

_BYES = 3  # as an agent sends


@dataclass
class ReplicatedHost(Host):
    """A host that chooses among exporters. While it is ``still``, its totals do not grow."""

    servers: Sequence[Address] = ()
    still: bool = True

    def report(self) -> None:
        """Send a report: the next one, or the last one again."""
        if self.still:
            self.reports -= 1
        super().report()

    def _new_transport(self) -> Transport:
        choice = Choice(REPLICAS, partial(order, self.name))
        return Replicas(
            lambda: self.servers, choice, self._new_sender, self._byes, self.log, monotonic
        )

    def _byes(self) -> list[bytes]:
        return [self._splitter.bye(self._header()) for _ in range(_BYES)]


class ReplicatedFleet(Fleet):
    """Hosts whose totals can be stopped between two reports, all at once."""

    def __init__(self, hosts: Sequence[ReplicatedHost]) -> None:
        super().__init__(hosts)
        self._replicated = hosts

    def stop_counting(self) -> None:
        """Let all totals stay as they are. Reports go on."""
        self.change(partial(_set_still, value=True))

    def count(self) -> None:
        """Let totals grow with each report."""
        self.change(partial(_set_still, value=False))

    def reports(self) -> list[int]:
        """Return for each host after how many reports its totals are as they are now."""
        return [host.reports for host in self._replicated]


def growth(before: Sequence[int], after: Sequence[int]) -> dict[tuple[str, str, str], int]:
    """Return by how much each total has grown between two answers of ``reports``.

    The keys are the host, the family and the label ``device``.
    """
    return {
        (name_of(host), *PLACES[place]): step(host, place) * (last - first)
        for host, (first, last) in enumerate(zip(before, after, strict=True))
        for place in range(len(PLACES))
    }


def name_of(number: int) -> str:
    """Return the name of a host."""
    return f"host-{number:03}"


def replicated_fleet(
    key: FleetKey, count: int, interval: float, servers: Sequence[Address]
) -> ReplicatedFleet:
    """Return a fleet of so many hosts that has not started yet."""
    quiet = logging.getLogger("faults.agents")
    quiet.setLevel(logging.CRITICAL)  # that exporters do not answer is what is done to them
    log = LimitedLogger(quiet, 600.0)
    return ReplicatedFleet(
        [
            ReplicatedHost(
                number,
                derived(CRYPTO, key, 0, name_of(number)),
                interval,
                servers[0],
                log,
                servers=servers,
            )
            for number in range(count)
        ]
    )


def _set_still(host: Host, *, value: bool) -> None:
    assert isinstance(host, ReplicatedHost)
    host.still = value
