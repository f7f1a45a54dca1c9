"""Agents and exporters start, stop, crash and restart."""

import signal
import socket
from pathlib import Path

import pytest
from support.pages import Page, wait_until
from support.processes import Exporter, Launcher, free_port
from support.senders import MEMORY_BYTES, RATE_NAMES, STEADY_RATES, Sender, steady

INTERVAL = 0.5  # seconds; the default of agents here
CLOCKS = 0.005  # seconds; the tolerance between the clocks of two processes


def up(exposition: Page, instance: str) -> float | None:
    return exposition.value("pombo_host_up", instance=instance)


def state_is_right(exposition: Page, instance: str) -> bool:
    """Return whether the state of a host is right for the time since its last report.

    It is live before two intervals, late before three, then down. A scrape during which the state
    may have changed is right.
    """
    last = exposition.value("pombo_host_last_report_timestamp_seconds", instance=instance)
    assert last is not None
    least, most = exposition.asked_at - last - CLOCKS, exposition.answered_at - last + CLOCKS
    late = exposition.value("pombo_host_late", instance=instance)
    has_values = "host_memory_total_bytes" in exposition.measured(instance)
    if most < 2 * INTERVAL:
        return (up(exposition, instance), late, has_values) == (1, 0, True)
    if least >= 2 * INTERVAL and most < 3 * INTERVAL:
        return (up(exposition, instance), late, has_values) == (1, 1, True)
    if least >= 3 * INTERVAL:
        return (up(exposition, instance), late, exposition.measured(instance)) == (0, 0, set())
    return True


def test_killed_agents_host_is_down_after_three_intervals_and_back_with_its_agent(
    start: Launcher,
) -> None:
    exporter = start.exporter()
    agents = {name: start.agent(name, exporter, interval="500ms") for name in ("stays", "dies")}
    prometheus = start.prometheus(exporter)
    memory = "host_memory_total_bytes"
    wait_until(
        lambda: prometheus.instant(memory), lambda found: len(found) == 2, "both in Prometheus"
    )

    def checked() -> Page:
        exposition = exporter.page()
        for name in agents:
            assert state_is_right(exposition, name), exposition
        return exposition

    agents["dies"].kill()
    exposition = wait_until(
        checked, lambda exposition: up(exposition, "dies") == 0, "the killed agent's host down"
    )
    assert exposition.measured("dies") == set()
    assert up(exposition, "stays") == 1

    # All but what rules make of it: those remember the host.
    measured = '{__name__!~"pombo_.*|.*:.*|ALERTS.*", instance="dies"}'
    wait_until(lambda: prometheus.instant(measured), lambda found: not found, "its series stale")
    down = list(prometheus.instant('pombo_host_up{instance="dies"}').values())
    assert down == [0]
    assert prometheus.instant('host_memory_total_bytes{instance="stays"}')

    start.agent("dies", exporter, interval="500ms")
    wait_until(checked, lambda exposition: up(exposition, "dies") == 1, "the host to be back")
    wait_until(lambda: prometheus.instant(measured), bool, "its series in Prometheus again")


def test_host_of_an_agent_that_is_stopped_is_gone_at_once(start: Launcher) -> None:
    exporter = start.exporter()
    agent = start.agent("stops", exporter, interval="1m")  # down after 3 minutes without a bye
    wait_until(
        exporter.page, lambda exposition: up(exposition, "stops"), "the agent's first report"
    )
    assert agent.end(signal.SIGTERM) == 0
    wait_until(
        exporter.page,
        lambda exposition: not exposition.names(instance="stops"),
        "the host to be gone",
    )
    assert "host said bye" in exporter.log


def test_every_host_is_back_within_an_interval_of_the_exporters_restart(start: Launcher) -> None:
    interval, slack = 2.0, 2.0
    exporter = start.exporter()
    agents = {
        name: start.agent(name, exporter, interval=f"{interval:g}s") for name in ("a", "b", "c")
    }

    def all_up(exposition: Page) -> bool:
        return all(up(exposition, name) == 1 for name in agents)

    wait_until(exporter.page, all_up, "all hosts")
    exporter.kill()
    again = start.exporter(port=exporter.port)
    exposition = wait_until(again.page, all_up, "all hosts again", within=interval + slack)
    for name, agent in agents.items():
        assert agent.runs
        assert "host_memory_total_bytes" in exposition.measured(name)
        assert exposition.value("pombo_host_datagrams_lost_total", instance=name) == 0


def test_first_report_has_values_and_no_rates(start: Launcher) -> None:
    exporter = start.exporter()
    with Sender("new", exporter.port) as sender:
        sent = sender.report(1000, *steady(1000))

        def arrived(exposition: Page) -> bool:
            received = exposition.value("pombo_host_datagrams_received_total", instance="new")
            return received == len(sent)

        exposition = wait_until(exporter.page, arrived, "all of the first report")
        assert exposition.value("host_memory_total_bytes", instance="new") == MEMORY_BYTES
        assert exposition.measured("new") & RATE_NAMES == set()
        sent += sender.report(1005, *steady(1005))
        exposition = wait_until(exporter.page, arrived, "all of the second report")
    assert exposition.measured("new") >= RATE_NAMES


@pytest.mark.parametrize(("before", "after"), [(1e12, 0.0), (0.0, 1e12)])
def test_restarted_agent_has_no_rate_until_its_second_report_and_then_the_right_one(
    start: Launcher, before: float, after: float
) -> None:
    exporter = start.exporter()
    sent: list[int] = []

    def arrived(exposition: Page) -> bool:
        received = exposition.value("pombo_host_datagrams_received_total", instance="again")
        return received == len(sent)

    for base, first in ((before, 50_000), (after, 10)):
        with Sender("again", exporter.port) as sender:
            sent += sender.report(first, *steady(first, base=base))
            exposition = wait_until(exporter.page, arrived, "the session's first report")
            assert exposition.measured("again") & RATE_NAMES == set()
            sent += sender.report(first + 5, *steady(first + 5, base=base))
            exposition = wait_until(exporter.page, arrived, "the session's second report")
            for (name, labels), expected in STEADY_RATES.items():
                rate = exposition.value(name, instance="again", **dict(labels))
                assert rate == pytest.approx(expected, rel=1e-3), (name, labels)
            sent += sender.bye()


def test_agents_reach_an_exporter_at_every_address_over_ipv4_and_ipv6(start: Launcher) -> None:
    exporter = start.exporter(host="[::]")
    servers = {"four": "127.0.0.1", "six": "[::1]", "by name": "localhost"}
    for name, server in servers.items():
        start.agent(name, f"{server}:{exporter.port}")
    wait_until(
        exporter.page,
        lambda exposition: all(up(exposition, name) == 1 for name in servers),
        "the hosts over IPv4, IPv6 and by name",
    )


def test_each_of_several_servers_gets_every_report_whether_or_not_another_runs(
    start: Launcher,
) -> None:
    exporters = [start.exporter(), start.exporter()]
    start.agent("both", *exporters)

    def received(exporter: Exporter) -> float:
        return exporter.page().value("pombo_host_datagrams_received_total", instance="both") or 0

    for exporter in exporters:
        exposition = wait_until(
            exporter.page, lambda exposition: up(exposition, "both"), "the host"
        )
        assert exposition.value("pombo_host_datagrams_lost_total", instance="both") == 0
        assert exposition.measured("both") >= {"host_memory_total_bytes", "host_load1"}
    exporters[0].kill()
    so_far = received(exporters[1])
    wait_until(
        lambda: received(exporters[1]),
        lambda now: now >= so_far + 10,
        "ten more datagrams at the other exporter",
    )
    exposition = exporters[1].page()
    assert exposition.value("pombo_host_datagrams_lost_total", instance="both") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_exporter_and_agent_end_with_0_on_a_signal(start: Launcher, number: signal.Signals) -> None:
    exporter = start.exporter()
    agent = start.agent("host", exporter)
    wait_until(exporter.page, lambda exposition: up(exposition, "host"), "the host")
    assert agent.end(number) == 0
    assert exporter.end(number) == 0


def test_sighup_does_not_end_an_exporter_that_has_no_file_to_read_again(start: Launcher) -> None:
    exporter = start.exporter()
    exporter.send_signal(signal.SIGHUP)
    assert exporter.page()
    assert exporter.end() == 0


def test_exporter_has_one_thread(start: Launcher) -> None:
    exporter = start.exporter()
    start.agent("pi", exporter, interval="500ms")
    wait_until(exporter.page, lambda exposition: up(exposition, "pi") == 1, "the agent's host")
    assert len([*Path(f"/proc/{exporter.pid}/task").iterdir()]) == 1


def test_exporter_whose_address_is_in_use_logs_the_flag_and_ends_with_1(start: Launcher) -> None:
    def refused(kind: socket.SocketKind) -> Exporter:
        port = free_port()
        occupied = socket.socket(socket.AF_INET, kind)
        sockets.append(occupied)
        occupied.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            occupied.listen()
        return start.exporter(port=port, ready=False)

    sockets: list[socket.socket] = []
    exporters = [refused(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    for exporter, flag in zip(exporters, ("web", "udp"), strict=True):
        assert exporter.ended() == 1
        assert "cannot listen" in exporter.log
        assert f"flag=--{flag}.listen-address value=127.0.0.1:{exporter.port}" in exporter.log
        assert "remedy=" in exporter.log
        assert "in use" in exporter.log
    for each in sockets:
        each.close()
