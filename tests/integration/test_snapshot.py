"""Every exposition is of one moment, whatever arrives while it is rendered."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from support.pages import wait_until
from support.processes import Launcher
from support.senders import Sender, steady

HOSTS = 300
SCRAPES = 40
RATE = 1000  # datagrams a second


@contextmanager
def sending(sender: Sender) -> Iterator[None]:
    """Send datagrams at RATE, each with its sequence number as a gauge, until the context ends."""
    stop = threading.Event()

    def send() -> None:
        started, sent = time.monotonic(), 0
        while not stop.is_set():
            while sent < (time.monotonic() - started) * RATE:
                sender.report(float(sent), ("gauges", {"sequence_number": float(sent)}))
                sent += 1
            stop.wait(1 / RATE)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_counters_and_values_of_an_exposition_are_of_the_same_moment(start: Launcher) -> None:
    exporter = start.exporter()
    for number in range(HOSTS):
        with Sender(f"host-{number}", exporter.port) as sender:
            sender.report(1.0, *steady(1.0))
    with Sender("busy", exporter.port) as sender, sending(sender):
        wait_until(
            exporter.page,
            lambda exposition: len(exposition.rows("pombo_host_up")) > HOSTS,
            "all hosts",
        )
        expositions = [exporter.page() for _ in range(SCRAPES)]
    pairs = []
    for exposition in expositions:
        received = exposition.value("pombo_host_datagrams_received_total", instance="busy")
        lost = exposition.value("pombo_host_datagrams_lost_total", instance="busy")
        newest = exposition.value("sequence_number", instance="busy")
        assert received is not None
        assert lost is not None
        assert newest is not None
        pairs.append((received + lost, newest + 1))
    assert [counted for counted, _ in pairs] == [reported for _, reported in pairs]
    assert pairs[-1][0] > pairs[0][0]
