"""Hosts that a test controls: what they report, when, and with which sequence numbers."""

import socket
import time
from typing import Self

from msgspec.structs import replace
from pombo_wire import (
    Cpu,
    Disks,
    Memory,
    Networks,
    OpenFamily,
    Part,
    Report,
    ReportSplitter,
    encode,
)
from pombo_wire.packing import pack
from pombo_wire.splitting import Form

from support.pages import Labels


class Sender:
    """Sends the reports of one agent session, with sequence numbers.

    ``interval`` is in seconds; with the default a host stays live throughout a test. ``form`` is
    that of its datagrams.
    """

    def __init__(
        self, host: str, port: int, *, interval: float = 60.0, form: Form = Form.JSON
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._header = Report(host=host, session=time.time_ns(), seq=0, interval=interval)
        self._splitter = ReportSplitter(form)
        self._encode = encode if form is Form.JSON else pack
        self.send_to(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send_to(self, port: int) -> None:
        """Send to another port from now on."""
        self._socket.connect(("127.0.0.1", port))

    def report(self, monotonic: float, *parts: Part) -> list[int]:
        """Send a report of the moment ``monotonic``; return the numbers of its datagrams."""
        header = replace(self._header, time=time.time(), monotonic=monotonic)
        reports, left_out = self._splitter.split(header, parts)
        assert not left_out, left_out
        numbers = []
        for report in reports:
            assert report.seq is not None
            numbers.append(report.seq)
            self._socket.send(self._encode(report))
        self._header = replace(self._header, seq=numbers[-1] + 1)
        return numbers

    def bye(self) -> list[int]:
        """End the session, so that another one may begin; return the number of the datagram."""
        header = replace(self._header, time=time.time(), bye=True)
        assert header.seq is not None
        self._socket.send(self._encode(header))
        return [header.seq]

    def raw(self, datagram: bytes) -> None:
        """Send any bytes."""
        self._socket.send(datagram)


def failed_service(unit: str) -> Part:
    """Return the families of a systemd with one unit, which has failed."""
    of_unit: dict[str, tuple[str, ...]] = {
        "name": (unit,),
        "state": ("failed",),
        "type": ("simple",),
    }
    return "families", {
        "node_systemd_units": OpenFamily("gauge", labels={"state": ("failed",)}, values=(1.0,)),
        "node_systemd_unit_state": OpenFamily("gauge", labels=of_unit, values=(1.0,)),
    }


CORES, DEVICES = 4, 30
MEMORY_BYTES = 2**34


def steady(moment: float, *, base: float = 0.0) -> list[Part]:
    """Return the sections of a host whose counters grow steadily, from ``base`` at moment 0.

    They take several datagrams.
    """
    cores = tuple(map(str, range(CORES)))
    names = tuple(f"dev{number}" for number in range(DEVICES))

    def grown(step: float) -> tuple[float, ...]:
        return tuple(base + step * (number + 1) * moment for number in range(DEVICES))

    cpu = Cpu(cpu=cores, user=(base + moment / 4,) * CORES, idle=(base + 3 * moment / 4,) * CORES)
    disks = Disks(device=names, read_bytes=grown(4096), written_bytes=grown(8192))
    networks = Networks(
        device=names,
        receive_bytes=grown(1000),
        receive_errors=grown(1),
        receive_drops=grown(2),
        transmit_bytes=grown(3000),
        transmit_errors=grown(3),
        transmit_drops=grown(4),
    )
    memory = Memory(total=MEMORY_BYTES)
    return [("memory", memory), ("cpu", cpu), ("disks", disks), ("networks", networks)]


def _steady_rates() -> dict[tuple[str, Labels], float]:
    per_device = {
        "host_disk_read_bytes_per_second": 4096,
        "host_disk_write_bytes_per_second": 8192,
        "host_network_receive_bytes_per_second": 1000,
        "host_network_transmit_bytes_per_second": 3000,
        "host_network_receive_lost_packets_per_second": 1 + 2,
        "host_network_transmit_lost_packets_per_second": 3 + 4,
    }
    rates: dict[tuple[str, Labels], float] = {
        (name, frozenset({("device", f"dev{number}")})): step * (number + 1)
        for name, step in per_device.items()
        for number in range(DEVICES)
    }
    rates |= {
        ("host_cpu_usage_ratio", frozenset({("cpu", str(core))})): 0.25 for core in range(CORES)
    }
    return rates | {("host_cpu_average_usage_ratio", frozenset()): 0.25}


#: The rates of ``steady`` at every moment, by name and by labels without ``instance``.
STEADY_RATES = _steady_rates()
RATE_NAMES = {name for name, _ in STEADY_RATES}

#: Names that a host may have, and that must not break an exposition.
HOSTILE_NAMES = (
    'quo"te',
    "back\\slash",
    "two\nlines\r\n",
    "\\n is no line feed",
    "# HELP comment",
    '"} 1\nhost_memory_total_bytes{instance="forged',
    "<script>alert(1)</script>&amp;",
    "🐦 Täube\u2028\u202e",
    " ",
    "h" * 255,
)
