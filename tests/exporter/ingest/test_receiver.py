"""Real sockets: both kinds of address, batches, and what the kernel drops."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pombo_cli.flags import Address
from pombo_exporter.ingest import receiver
from pombo_exporter.ingest.intake import Intake
from pombo_wire import MAX_DATAGRAM_BYTES
from support.builders import Exporter

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@contextmanager
def listening(host: str = "127.0.0.1", buffer: int = 100_000) -> Iterator[socket.socket]:
    with receiver.bind(Address(host, 0), buffer) as sock:
        yield sock


def send(to: socket.socket, *datagrams: bytes, family: int = socket.AF_INET) -> None:
    """Send over the loopback, where a datagram has arrived or is dropped once it is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect((LOOPBACK[socket.AddressFamily(family)], to.getsockname()[1]))
        for datagram in datagrams:
            sender.send(datagram)


def drained(sock: socket.socket) -> list[bytes]:
    """Return all that waits in a socket, batch after batch."""
    found: list[bytes] = []
    count = -1
    while len(found) != count:
        count = len(found)
        receiver.drain(sock, lambda datagram, _: found.append(datagram))
    return found


@pytest.mark.parametrize("host", ["::", ""])
def test_socket_on_every_address_takes_both_kinds(host: str) -> None:
    with listening(host) as sock:
        send(sock, b"four")
        send(sock, b"six", family=socket.AF_INET6)
        assert drained(sock) == [b"four", b"six"]


def test_socket_on_one_address_takes_its_kind() -> None:
    for family, host in LOOPBACK.items():
        with listening(host) as sock:
            assert sock.getsockname()[0] == host
            send(sock, b"here", family=family)
            assert drained(sock) == [b"here"]


def test_socket_on_every_address_makes_do_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without IPv6 is not at hand, so its refusal is played."""
    real = receiver._open  # noqa: SLF001 - the kernel's refusal comes from there

    def refuse(family: int, *rest: object) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return real(family, *rest)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(receiver, "_open", refuse)
    with listening("::") as sock:
        send(sock, b"four")
        assert drained(sock) == [b"four"]
    with pytest.raises(OSError, match="no IPv6"):
        receiver.bind(Address("::1", 0), 100_000)


def test_address_in_use_is_an_error() -> None:
    with listening() as sock, pytest.raises(OSError, match="in use"):
        receiver.bind(Address(*sock.getsockname()), 100_000)


def test_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        receiver.bind(Address("192.0.2.1", 0), 100_000)


def test_drain_takes_a_batch_and_leaves_the_rest() -> None:
    with listening() as sock:
        sent = [b"%d" % number for number in range(receiver.BATCH + 10)]
        send(sock, *sent)
        batches: list[list[bytes]] = []
        for _ in range(3):
            batches.append([])
            receiver.drain(sock, lambda datagram, _: batches[-1].append(datagram))
        assert batches == [sent[: receiver.BATCH], sent[receiver.BATCH :], []]


def test_datagram_comes_with_the_address_of_its_sender() -> None:
    with listening() as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.sendto(b"", sock.getsockname())
        found: list[object] = []
        receiver.drain(sock, lambda *datagram: found.append(datagram))
        assert found == [(b"", sender.getsockname())]


@pytest.mark.parametrize(
    ("size", "reason"), [(MAX_DATAGRAM_BYTES, "not_json"), (65_507, "too_large")]
)
def test_longest_datagram_that_is_taken_is_the_wires(size: int, reason: str) -> None:
    exporter = Exporter()
    intake = Intake(exporter.roster, lambda: 0.0)
    with listening() as sock:
        send(sock, bytes(size))
        receiver.drain(sock, lambda data, sender: intake.take(data, sender, 0.0, 0.0))
    assert {name: count for name, count in intake.refused.items() if count} == {reason: 1}


# --- what the kernel drops ---


def flood(sock: socket.socket, count: int) -> int:
    """Send to a socket that nobody reads, then read it; return how many never arrived."""
    send(sock, *[bytes(1000)] * count)
    return count - len(drained(sock))


def no_meminfo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "_SO_MEMINFO", 9999)


def no_change(_: pytest.MonkeyPatch) -> None:
    return


@pytest.mark.parametrize("prepare", [no_change, no_meminfo], ids=["meminfo", "proc"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_every_datagram_that_the_kernel_drops_is_counted(
    host: str, prepare: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch)
    with listening(host, buffer=4096) as sock:
        drops = receiver.KernelDrops(sock)
        assert drops.read() == 0
        dropped = flood(sock, 200)
        assert dropped > 0
        assert drops.read() == dropped
        dropped += flood(sock, 100)
        assert drops.read() == drops.read() == drops.total == dropped


def test_table_that_misses_the_socket_changes_no_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's table is not read at one moment, so that a line may be missed; so here."""
    no_meminfo(monkeypatch)
    with listening(buffer=4096) as sock:
        drops = receiver.KernelDrops(sock)
        dropped = flood(sock, 100)
        assert drops.read() == dropped
        table = tmp_path / "udp"
        table.write_text("sl local_address\n", encoding="ascii")
        monkeypatch.setattr(receiver, "Path", lambda _: table)
        assert drops.read() == dropped


def test_drops_of_other_sockets_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_meminfo(monkeypatch)
    with ExitStack() as stack:
        socks = [stack.enter_context(listening(buffer=4096)) for _ in range(3)]
        flood(socks[0], 100)
        assert receiver.KernelDrops(socks[1]).read() == 0


def test_kernels_counter_may_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as sock:
        drops = receiver.KernelDrops(sock)
        counts = iter([2**32 - 10, 5])
        monkeypatch.setattr(drops, "_kernels_count", lambda: next(counts))
        assert [drops.read(), drops.read()] == [2**32 - 10, 2**32 + 5]


# --- the receive buffer ---


def test_buffer_is_as_large_as_was_asked_for() -> None:
    with listening(buffer=65_536) as sock:
        assert receiver.buffer_bytes(sock) == 65_536


def test_smaller_buffer_than_wanted_is_told_with_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    most = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
    with caplog.at_level(logging.WARNING):
        with listening(buffer=most):
            assert caplog.records == []
        with listening(buffer=2 * most) as sock:
            granted = receiver.buffer_bytes(sock)
    (record,) = caplog.records
    assert vars(record)["fields"] == {
        "wanted": 2 * most,
        "granted": granted,
        "remedy": f"sysctl -w net.core.rmem_max={2 * most}",
    }
    assert granted == most


# --- from a loop ---


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the loop has made it so.

    Raises:
        TimeoutError: when it has not after ten seconds.
    """
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the sockets tell no event
            await asyncio.sleep(0.001)


def test_loop_takes_trickles_and_floods_alike_and_none_once_stopped() -> None:
    async def scenario() -> None:
        with listening(buffer=2**20) as sock:
            found: list[bytes] = []
            drain = receiver.Drain(
                asyncio.get_running_loop(), sock, lambda datagram, _: found.append(datagram)
            )
            for burst in (1, 3, receiver.BATCH * 5, 1, 0, 2):
                before = len(found)
                send(sock, *(b"%d" % number for number in range(burst)))
                await until(lambda: len(found) == before + burst)  # noqa: B023 - awaited here
                assert found[before:] == [b"%d" % number for number in range(burst)]
                await asyncio.sleep(receiver.REST * 3)
            drain.stop()
            send(sock, b"too late")
            await asyncio.sleep(receiver.REST * 3)
            assert b"too late" not in found
            assert drained(sock) == [b"too late"]

    asyncio.run(scenario())


def test_loop_goes_on_when_one_datagram_could_not_be_taken() -> None:
    async def scenario() -> None:
        with listening() as sock:
            found: list[bytes] = []

            def take(datagram: bytes, _: object) -> None:
                if datagram == b"bad":
                    raise ArithmeticError
                found.append(datagram)

            loop = asyncio.get_running_loop()
            failures: list[object] = []
            loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
            drain = receiver.Drain(loop, sock, take)
            send(sock, b"bad", b"good")
            await until(lambda: found == [b"good"])
            assert isinstance(failures[0], ArithmeticError)
            drain.stop()

    asyncio.run(scenario())


def test_look_drains_in_the_midst_of_other_work_which_has_no_part_in_failures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        with listening() as sock:
            found: list[bytes] = []

            def take(datagram: bytes, _: object) -> None:
                found.append(datagram)
                if datagram == b"bad":
                    raise ArithmeticError

            drain = receiver.Drain(asyncio.get_running_loop(), sock, take)
            send(sock, b"one", b"bad", b"two")
            drain.look()
            assert found == [b"one", b"bad"]
            drain.look()
            assert found == [b"one", b"bad", b"two"]
            send(sock, b"three")
            await until(lambda: found[3:] == [b"three"])
            drain.stop()

    asyncio.run(scenario())
    assert [record.message for record in caplog.records] == ["cannot take a datagram"]


def test_look_takes_the_turn_of_a_busy_socket_so_that_a_flood_leaves_other_work_its_own() -> None:
    async def scenario() -> None:
        with listening(buffer=2**20) as sock:
            found: list[bytes] = []
            batches: list[int] = []
            arrived = asyncio.Event()

            def take(datagram: bytes, _: object) -> None:
                found.append(datagram)
                arrived.set()

            drain = receiver.Drain(asyncio.get_running_loop(), sock, take)
            send(sock, *[b"flood"] * receiver.BATCH * 6)
            for _ in range(2):  # until it is known as busy
                arrived.clear()
                await arrived.wait()
            for _ in range(3):
                batches.append(len(found))
                drain.look()
                await asyncio.sleep(0)
            assert batches == [receiver.BATCH * number for number in (2, 3, 4)]
            await until(lambda: len(found) == receiver.BATCH * 6)
            drain.stop()

    asyncio.run(scenario())
