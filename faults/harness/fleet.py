"""Sealed hosts whose totals are known exactly, with the agent's own transport.

A total of a host is a function of the host, of the place of the total, and of the number of the
report. So each exposition shows which report it is of, and whether it is a report at all.
"""

import heapq
import logging
import socket
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event, RLock, Thread
from time import monotonic
from typing import Any, Protocol

from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.dialogue import Dialogue
from pombo_agent.transport.udp import Lookup, Sender
from pombo_agent.wakeup import EventWaiter
from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from pombo_wire.keys import FleetKey, HostKey, derived
from pombo_wire.sealing import overhead
from pombo_wire.section import Section
from pombo_wire.splitting import Form, Splitter

#: The families of the totals of a host, each with the label ``device``: two devices a section.
FAMILIES = (
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
    "node_network_receive_packets_total",
    "node_network_transmit_packets_total",
    "node_disk_read_bytes_total",
    "node_disk_written_bytes_total",
)
_SECTIONS = (
    ("networks", ("eth0", "eth1")),
    ("disks", ("sda", "sdb")),
)
_COLUMNS = {
    "networks": ("receive_bytes", "transmit_bytes", "receive_packets", "transmit_packets"),
    "disks": ("read_bytes", "written_bytes"),
}

#: The totals of a host, as family and device, in the order of the numbers of its report.
PLACES = tuple(
    (family, device)
    for families, (_, devices) in zip((FAMILIES[:4], FAMILIES[4:]), _SECTIONS, strict=True)
    for family in families
    for device in devices
)

_RECORDED = 3  # datagrams of each host that are kept, for who repeats them


def base(host: int, place: int) -> int:
    """Return a total before the first report."""
    return 1 + (host * 7919 + place * 104_729) * 4096


def step(host: int, place: int) -> int:
    """Return by how much a total grows with each report; no two totals have the same."""
    return 1001 + host * len(PLACES) + place


def total(host: int, place: int, report: int) -> int:
    """Return a total in a report, from 1."""
    return base(host, place) + report * step(host, place)


def report_of(host: int, place: int, value: int) -> int | None:
    """Return the report in which a total has this value; None where it never has."""
    number, rest = divmod(value - base(host, place), step(host, place))
    return number if not rest and number > 0 else None


class Transport(Protocol):
    """What sends reports to one exporter or to several."""

    def send(self, datagrams: Sequence[bytes], /) -> None:
        """Send the datagrams of a report."""

    def close(self) -> None:
        """Close its sockets."""


@dataclass
class Host:
    """One host, and when its reports were sent.

    ``ahead`` is by how many seconds its clock is ahead, ``recorded`` has its last datagrams.
    ``sent_at`` has the moments, on the monotonic clock, at which a datagram was sent that the
    exporter must accept if it arrives. With ``is_relayed`` another writes them; while ``is_cut``,
    nothing arrives.
    """

    number: int
    key: HostKey
    interval: float
    server: Address
    log: LimitedLogger
    ahead: float = 0.0
    reports: int = 0
    datagrams: int = 0
    recorded: list[bytes] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    is_relayed: bool = False
    is_cut: bool = False
    _unsure: int = 0  # reports that the exporter may refuse, since another agent has the name

    def __post_init__(self) -> None:
        """Start an agent's session."""
        self._waiter = EventWaiter()
        self._sender: Transport | None = None
        self.start()

    @property
    def name(self) -> str:
        """The host's name."""
        return self.key.name

    def start(self) -> None:
        """Start another session, as an agent that was killed and starts again: it says no bye."""
        if self._sender is not None:
            self._sender.close()
            self._unsure = 3
        self._sender = self._new_transport()
        self.recorded = []
        self._splitter = Splitter(Form.PACKED, overhead(self.name.encode()))
        self._session = time.time_ns() + round(self.ahead * 1e9)

    def report(self) -> None:
        """Send the next report."""
        self.reports += 1
        datagrams, omitted = self._splitter.datagrams(self._header(), self._sections())
        assert not omitted
        assert self._sender is not None
        now = monotonic()
        self._sender.send(datagrams)
        self.datagrams += len(datagrams)
        if self._unsure:
            self._unsure -= 1
        elif not self.is_relayed and not self.is_cut:
            self.sent_at.append(now)

    def close(self) -> None:
        """Close its socket."""
        if self._sender is not None:
            self._sender.close()

    def silence(self, since: float, before: float, now: float) -> float | None:
        """Return the seconds from its last datagram before a moment to ``now``.

        None where it has sent none between ``since`` and ``before``.
        """
        place = bisect_right(self.sent_at, before)
        if not place or self.sent_at[place - 1] < since:
            return None
        return now - self.sent_at[place - 1]

    def _new_transport(self) -> "Transport":
        """Return what sends the reports of a session."""
        return self._new_sender(self.server, probes=False)

    def _new_sender(self, server: Address, *, probes: bool) -> Sender:
        """Return what sends to a server, whose address needs no lookup."""
        where = (server.host, server.port)
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        lookup = Lookup(lambda *_: [(family, where)], start=lambda resolve: resolve())
        crypto = CRYPTO._replace(seal=self._seal)
        dialogue = Dialogue(crypto, self.key, self.interval, probes=probes)
        return Sender(server, self.log, self._waiter, monotonic, lookup, dialogue, quiet=probes)

    def _header(self) -> dict[str, Any]:
        return {
            "session": self._session,
            "time": round(time.time() + self.ahead, 3),
            "monotonic": round(monotonic(), 6),
            "interval": self.interval,
        }

    def _seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Seal a datagram and keep it."""
        sealed = CRYPTO.seal(key, nonce, plaintext, associated)
        self.recorded = [*self.recorded[1 - _RECORDED :], associated + sealed]
        return sealed

    def _sections(self) -> Iterator[Section]:
        place = 0
        for name, devices in _SECTIONS:
            columns = _COLUMNS[name]
            count = len(columns) * len(devices)
            cells = [total(self.number, place + at, self.reports) for at in range(count)]
            yield Section(name, {"device": devices}, columns, cells)
            place += count


class Fleet(Thread):
    """Hosts that report, one after the other, each once in its interval."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        super().__init__(name="fleet", daemon=True)
        self.hosts = hosts
        self.interval = hosts[0].interval
        self.latest = 0.0  # seconds by which a report was sent too late
        self._lock = RLock()
        self._ended, self._paused = Event(), False
        start = monotonic()
        count = len(hosts)
        self._due = [(start + self.interval * at / count, at) for at in range(count)]

    @property
    def datagrams(self) -> int:
        """How many datagrams were sent so far."""
        return sum(host.datagrams for host in self.hosts)

    def run(self) -> None:
        """Send reports until ``close``."""
        while not self._ended.is_set():
            due, at = self._due[0]
            if (wait := due - monotonic()) > 0:
                self._ended.wait(min(wait, 0.05))
                continue
            with self._lock:
                late = monotonic() - due
                if not self._paused:
                    self.latest = max(self.latest, late)
                    self.hosts[at].report()
            # After a pause a host goes on at once, and then by its interval.
            following = due + self.interval
            if following < monotonic():
                following = monotonic() + self.interval
            heapq.heapreplace(self._due, (following, at))

    def pause(self) -> None:
        """Send nothing from now on; the numbers of the reports stay as they are."""
        with self._lock:
            self._paused = True

    def go_on(self) -> None:
        """Send again."""
        with self._lock:
            self._paused = False

    def change(self, change: Callable[[Host], None], hosts: Sequence[Host] | None = None) -> None:
        """Do something with all hosts, or some, between two reports."""
        with self._lock:
            for host in self.hosts if hosts is None else hosts:
                change(host)

    def close(self) -> None:
        """Stop, and close the sockets."""
        self._ended.set()
        if self.is_alive():
            self.join()
        for host in self.hosts:
            host.close()


def fleet(key: FleetKey, count: int, interval: float, server: Address) -> Fleet:
    """Return a fleet of so many hosts that has not started yet."""
    quiet = logging.getLogger("faults.agents")
    quiet.setLevel(logging.CRITICAL)  # that they are not heard is what the cases do
    log = LimitedLogger(quiet, 600.0)
    return Fleet(
        [
            Host(number, derived(CRYPTO, key, 0, f"host-{number:03}"), interval, server, log)
            for number in range(count)
        ]
    )
