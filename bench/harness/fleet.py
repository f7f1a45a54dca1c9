"""What a fleet of hosts sends: prepared datagrams, in which a few digits change by report."""

from collections.abc import Iterator
from dataclasses import dataclass

from pombo_wire import (
    Cpu,
    Disks,
    Filesystems,
    Info,
    Memory,
    Networks,
    Part,
    Report,
    Swap,
    System,
    encode,
    split,
)

INTERVAL = 5.0  # seconds
CORES, MOUNTS, DISKS, INTERFACES = 8, 3, 2, 3

_SESSION = 1_700_000_000_000_000_000
_SLOT = b"0000.5"  # the end of each value: replaced by the report's number
_SEQ, _TIME, _MONOTONIC = 987_654_321, 1_234_567_890.25, 987_654.125


@dataclass(frozen=True)
class Template:
    """One datagram of a host's report, as the bytes around what changes with each report."""

    before_seq: bytes
    index: int  # of the datagram in its report
    count: int  # datagrams in a report
    rest: tuple[bytes, ...]  # the last digits of a value go between any two

    @property
    def values(self) -> int:
        """How many values it has."""
        return len(self.rest) - 1

    def datagram(self, report: int) -> bytes:
        """Return the datagram for the report of this number; every value in it is new."""
        seq, now = report * self.count + self.index, report * INTERVAL
        clock = b'%d,"time":%.3f,"monotonic":%.3f' % (seq, 1.8e9 + now, 1e5 + now)
        return self.before_seq + clock + (b"%04d.5" % (report % 10_000)).join(self.rest)


def fleet(hosts: int) -> Iterator[Template]:
    """Yield the datagrams of so many hosts, host by host."""
    for number in range(hosts):
        header = Report(
            host=f"host-{number:05}.example.net",
            session=_SESSION,
            seq=_SEQ,
            time=_TIME,
            monotonic=_MONOTONIC,
            interval=INTERVAL,
        )
        reports, left_out = split(header, _parts(number))
        assert not left_out
        for index, report in enumerate(reports):
            text = encode(report)
            seq = b"%d" % (_SEQ + index)
            start = text.index(seq)
            clock = b'"monotonic":987654.125'
            end = text.index(clock) + len(clock)
            rest = tuple(text[end:].split(_SLOT))
            yield Template(text[:start], index, len(reports), rest)


def _parts(host: int) -> list[Part]:
    def values(rows: int, least: float) -> tuple[float, ...]:
        return tuple(least + (host * 131 + row * 17) * 10_000.0 + 0.5 for row in range(rows))

    def columns(count: int, rows: int, least: float) -> list[tuple[float, ...]]:
        return [values(rows, least * (place + 1)) for place in range(count)]

    devices = tuple(f"/dev/nvme0n1p{n}" for n in range(MOUNTS))
    return [
        ("info", Info("pombo-agent 0.1.0", "Linux", "6.1.0-18-amd64", "x86_64")),
        ("system", System(boot_time=1.7e9, uptime=250_000.5, load1=0.5, load5=0.5, load15=0.5)),
        ("cpu", Cpu(tuple(map(str, range(CORES))), *columns(10, CORES, 1e5))),
        ("memory", Memory(*(value[0] for value in columns(10, 1, 1e9)))),
        ("swap", Swap(*(value[0] for value in columns(5, 1, 1e8)))),
        (
            "filesystems",
            Filesystems(("/", "/home", "/var"), devices, ("ext4",) * 3, *columns(5, MOUNTS, 1e10)),
        ),
        ("disks", Disks(("nvme0n1", "sda"), *columns(9, DISKS, 1e9))),
        ("networks", Networks(("eth0", "eth1", "lo"), *columns(17, INTERFACES, 1e9))),
    ]
