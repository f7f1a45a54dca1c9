"""Every exposition is of one moment, whatever arrives while it is rendered."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from support.pages import fetch, wait_until
from support.processes import Exporter, Launcher
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


class Scrape(NamedTuple):
    """What one exposition says of the busy host."""

    counted: int  # datagrams received and lost
    reported: int  # the number of the datagram that its newest value is from
    dropped: int  # datagrams that the kernel dropped so far


def scrape(exporter: Exporter) -> Scrape:
    """Scrape; read only a few lines, for a parser takes seconds for those of all hosts."""
    text = fetch(f"http://{exporter.target}/metrics")

    def value(series: str) -> int:
        [found] = re.findall(rf"^{series} (\S+)$", text, re.MULTILINE)
        return int(float(found))

    busy = '{instance="busy"}'
    received = value(f"pombo_host_datagrams_received_total{busy}")
    lost = value(f"pombo_host_datagrams_lost_total{busy}")
    reported = value(f"sequence_number{busy}") + 1
    return Scrape(received + lost, reported, value("pombo_exporter_kernel_drops_total"))


def test_counters_and_values_of_an_exposition_are_of_the_same_moment(start: Launcher) -> None:
    exporter = start.exporter()
    for number in range(HOSTS):
        with Sender(f"host-{number}", exporter.port) as sender:
            sender.report(1.0, *steady(1.0))
    with Sender("busy", exporter.port) as sender, sending(sender):
        wait_until(
            lambda: fetch(f"http://{exporter.target}/metrics"),
            re.compile(r'^sequence_number{instance="busy"}', re.MULTILINE).search,
            "the busy host",
        )
        scrapes = [scrape(exporter) for _ in range(SCRAPES)]
    for found in scrapes:
        # What the kernel dropped a moment ago is neither received nor lost yet.
        assert 0 <= found.reported - found.counted <= found.dropped, scrapes
    assert scrapes[-1].counted > scrapes[0].counted
