"""`make run`, as in the README: everything starts, and everything ends."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from support.pages import fetch, fetch_page, wait_until
from support.processes import Launcher, Process, found, free_port
from support.sessions import kill_members, members

HOST = socket.gethostname()


@contextmanager
def make_run(start: Launcher) -> Iterator[Process]:
    """Run it on free ports, and kill what it leaves running."""
    environment = {
        "PORT": str(free_port()),
        "PROMETHEUS_PORT": str(free_port()),
        "MAKEFLAGS": "",  # not those of the make that may run this test
    }
    process = start.program(found("make"), "run", env=environment, leads_session=True)
    try:
        yield process
    finally:
        kill_members(process.pid)


def addresses(process: Process) -> tuple[str, str]:
    """Return the printed addresses of the exposition and of Prometheus."""
    printed = wait_until(
        lambda: process.log,
        lambda log: "Metrics:" in log and "Prometheus:" in log,
        "both addresses",
        within=120,
    )
    metrics, prometheus = (
        re.search(rf"{name}: +(http://\S+)", printed) for name in ("Metrics", "Prometheus")
    )
    assert metrics
    assert prometheus
    return metrics[1], prometheus[1].partition("/graph")[0]


def ends_with_all_its_children(process: Process, stop: Callable[[], None]) -> None:
    commands = " ".join(members(process.pid).values())
    for name in ("pombo-exporter", "pombo-agent", "prometheus"):
        assert name in commands
    stop()
    process.ended()
    wait_until(lambda: members(process.pid), lambda left: not left, "all its processes to end")
    assert "Traceback" not in process.log


def test_make_run_measures_this_host_and_stops_everything_on_a_signal(start: Launcher) -> None:
    with make_run(start) as terminated, make_run(start) as interrupted:
        for process in (terminated, interrupted):
            metrics, prometheus = addresses(process)
            wait_until(
                partial(fetch_page, metrics),
                lambda exposition: (
                    exposition.value("host_cpu_average_usage_ratio", instance=HOST) is not None
                ),
                f"{HOST}'s second report",
            )
            sealed = fetch_page(metrics).value("pombo_exporter_acknowledgements_total")
            assert sealed, "its reports are sealed, and answered"
            query = f"{prometheus}/api/v1/query?query=host_memory_total_bytes"
            wait_until(
                partial(fetch, query),
                lambda answer: f'"{HOST}"' in answer,
                "it in Prometheus",
            )
        ends_with_all_its_children(terminated, lambda: terminated.send_signal(signal.SIGTERM))
        # Ctrl-C reaches the whole foreground group.
        ends_with_all_its_children(interrupted, lambda: os.killpg(interrupted.pid, signal.SIGINT))
