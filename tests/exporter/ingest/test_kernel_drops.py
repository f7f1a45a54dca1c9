"""What the kernel drops of real floods, read in each of the ways."""

import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from pombo_exporter.ingest.kernel_drops import KernelDrops, Read, read_meminfo, read_tables
from support.udp import drained, listening, send


def flood(sock: socket.socket, count: int) -> int:
    """Send to a socket that nobody reads, then read it; return how many never arrived."""
    send(sock, *[bytes(1000)] * count)
    return count - len(drained(sock))


WAYS = pytest.mark.parametrize("way", [read_meminfo, read_tables])


@WAYS
@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_every_datagram_that_the_kernel_drops_is_counted(host: str, way: Read) -> None:
    with listening(host, buffer=4096) as sock:
        drops = KernelDrops(sock, [way])
        assert drops.read() == 0
        dropped = flood(sock, 200)
        assert dropped > 0
        assert drops.read() == dropped
        dropped += flood(sock, 100)
        assert drops.read() == drops.read() == drops.total == dropped


@WAYS
def test_drops_of_other_sockets_are_not_counted(way: Read) -> None:
    with ExitStack() as stack:
        socks = [stack.enter_context(listening(buffer=4096)) for _ in range(3)]
        assert flood(socks[0], 100) > 0
        assert KernelDrops(socks[1], [way]).read() == 0


def test_way_that_cannot_read_the_count_leaves_it_to_the_next_one() -> None:
    with listening() as sock:
        assert KernelDrops(sock, [lambda _: None, lambda _: 3]).read() == 3
        assert KernelDrops(sock, [lambda _: None]).read() == 0


def test_socket_that_is_no_udp_socket_has_no_count() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert read_tables(here) is None
        assert KernelDrops(here, [read_tables]).read() == 0


def test_table_that_misses_the_socket_changes_no_count(tmp_path: Path) -> None:
    """The kernel does not read its table out at one moment, so that a line may be missing."""
    table = tmp_path / "udp"
    with listening(buffer=4096) as sock:
        drops = KernelDrops(sock, [partial(read_tables, tables=[tmp_path / "none", table])])
        dropped = flood(sock, 100)
        whole = Path("/proc/net/udp").read_text(encoding="ascii")
        table.write_text(whole, encoding="ascii")
        assert drops.read() == dropped > 0
        table.write_text(whole.splitlines()[0] + "\n", encoding="ascii")
        assert drops.read() == dropped
        table.write_text(whole, encoding="ascii")
        assert drops.read() == dropped


def test_kernels_counter_may_wrap() -> None:
    counts = iter([2**32 - 10, 5])
    with listening() as sock:
        drops = KernelDrops(sock, [lambda _: next(counts)])
        assert [drops.read(), drops.read()] == [2**32 - 10, 2**32 + 5]
