"""Clients of HTTP that are idle, slow, or never read what they asked for, beside scrapes."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from statistics import median
from threading import Event, Thread
from time import monotonic, sleep

from faults.harness.outcome import Outcome
from faults.harness.settings import Settings
from faults.harness.trial import Trial

_REST = b" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n"

#: Answers under way at most, and what one that nobody reads takes for each series: docs/sizing.md.
UNREAD_ANSWERS, UNREAD_BYTES = 40, 52

#: What clients send that never read.
_UNREAD = (
    b"GET /metrics" + _REST + b"\r\n",
    (b"GET /api/v1/hosts" + _REST + b"\r\n") * 20,
    b"GET /live" + _REST + b"\r\n",
    (b"GET /api/v1/hosts/host-000" + _REST + b"\r\n") * 40,
)


def http_clients(settings: Settings) -> Outcome:
    """Open connections of each kind, and scrape beside them."""
    each = settings.clients
    with Trial(settings) as trial:
        trial.begin()
        series = sum(not line.startswith(b"#") for line in trial.exporter.get().splitlines())
        before = [*trial.watch.took]
        with _clients(trial.exporter.port, each) as opened:
            sleep(settings.seconds)
            scrapes = trial.watch.took[len(before) :]
            failed = trial.watch.failed
            held = sum(_is_open(sock) for sock in opened)
        live = trial.live_again(monotonic())
        outcome = trial.outcome(
            f"{each} idle clients, {each} that send a byte of a request each 0.2 s, {each} that "
            f"ask for pages and never read, for {settings.seconds:g} s",
            live,
            may_be_late=False,
            unread_bytes=UNREAD_ANSWERS * UNREAD_BYTES * series,
        )
        outcome.found += [
            f"scrapes meanwhile: {len(scrapes)}",
            f"their median {median(scrapes):.2f} s",
            f"the slowest {max(scrapes):.2f} s",
            f"failed: {failed}",
            f"connections still open at the end: {held} of {len(opened)}",
        ]
        return outcome


@contextmanager
def _clients(port: int, each: int) -> Iterator[Sequence[socket.socket]]:
    """Connect ``each`` clients of each kind, and let the slow ones go on."""
    ended = Event()
    with ExitStack() as stack:
        socks = [stack.enter_context(_connected(port)) for _ in range(3 * each)]
        slow, unread = socks[each : 2 * each], socks[2 * each :]
        for number, sock in enumerate(unread):
            with suppress(OSError):
                sock.sendall(_UNREAD[number % len(_UNREAD)])

        def drip() -> None:
            request = b"GET /metrics HTTP/1.1\r\nX-" + b"y" * 10_000
            for at in range(len(request)):
                if ended.wait(0.2):
                    return
                for sock in slow:
                    with suppress(OSError):
                        sock.send(request[at : at + 1])

        thread = Thread(target=drip, name="slow clients")
        thread.start()
        try:
            yield socks
        finally:
            ended.set()
            thread.join()


def _connected(port: int) -> socket.socket:
    """Return a connection whose end here takes little."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(5)
    sock.connect(("127.0.0.1", port))
    return sock


def _is_open(sock: socket.socket) -> bool:
    """Return whether the other end has neither closed nor reset a connection."""
    sock.setblocking(False)  # noqa: FBT003 - the socket's own way
    try:
        while sock.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
