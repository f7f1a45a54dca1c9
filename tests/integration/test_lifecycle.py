"""Hosts come, go and come back; so do exporters."""

import signal
import socket
from pathlib import Path

import pytest
from support.pages import Page, wait_until
from support.processes import Exporter, Launcher, free_port
from support.senders import MEMORY_BYTES, RATE_NAMES, STEADY_RATES, Sender, steady

INTERVAL = 0.5  # seconds, of the agents here unless said otherwise
CLOCKS = 0.005  # seconds that two readings of clocks may be apart


def up(page: Page, instance: str) -> float | None:
    return page.value("pombo_host_up", instance=instance)


def follows_the_rule(page: Page, instance: str) -> bool:
    """Whether the host stands as it must by the time since its last report.

    Live before two intervals, late before three, then down; undecided moments are right.
    """
    last = page.value("pombo_host_last_report_timestamp_seconds", instance=instance)
    assert last is not None
    least, most = page.asked_at - last - CLOCKS, page.answered_at - last + CLOCKS
    late = page.value("pombo_host_late", instance=instance)
    shown = "host_memory_total_bytes" in page.measured(instance)
    if most < 2 * INTERVAL:
        return (up(page, instance), late, shown) == (1, 0, True)
    if least >= 2 * INTERVAL and most < 3 * INTERVAL:
        return (up(page, instance), late, shown) == (1, 1, True)
    if least >= 3 * INTERVAL:
        return (up(page, instance), late, page.measured(instance)) == (0, 0, set())
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
        page = exporter.page()
        for name in agents:
            assert follows_the_rule(page, name), page
        return page

    agents["dies"].kill()
    page = wait_until(checked, lambda page: up(page, "dies") == 0, "the killed agent's host down")
    assert page.measured("dies") == set()
    assert up(page, "stays") == 1

    # All but what rules make of it: those remember the host.
    measured = '{__name__!~"pombo_.*|.*:.*|ALERTS.*", instance="dies"}'
    wait_until(lambda: prometheus.instant(measured), lambda found: not found, "its series stale")
    down = list(prometheus.instant('pombo_host_up{instance="dies"}').values())
    assert down == [0]
    assert prometheus.instant('host_memory_total_bytes{instance="stays"}')

    start.agent("dies", exporter, interval="500ms")
    wait_until(checked, lambda page: up(page, "dies") == 1, "the host to be back")
    wait_until(lambda: prometheus.instant(measured), bool, "its series in Prometheus again")


def test_agent_that_stops_on_purpose_takes_its_host_with_it_at_once(start: Launcher) -> None:
    exporter = start.exporter()
    agent = start.agent("leaves", exporter, interval="1m")  # silence alone would take 3 minutes
    wait_until(exporter.page, lambda page: up(page, "leaves"), "the agent's first report")
    assert agent.end(signal.SIGTERM) == 0
    wait_until(exporter.page, lambda page: not page.names(instance="leaves"), "the host to be gone")
    assert "host said bye" in exporter.log


def test_every_host_is_back_within_an_interval_of_the_exporters_restart(start: Launcher) -> None:
    interval, slack = 2.0, 2.0
    exporter = start.exporter()
    agents = {
        name: start.agent(name, exporter, interval=f"{interval:g}s") for name in ("a", "b", "c")
    }

    def all_up(page: Page) -> bool:
        return all(up(page, name) == 1 for name in agents)

    wait_until(exporter.page, all_up, "all hosts")
    exporter.kill()
    again = start.exporter(port=exporter.port)
    page = wait_until(again.page, all_up, "all hosts again", within=interval + slack)
    for name, agent in agents.items():
        assert agent.runs
        assert "host_memory_total_bytes" in page.measured(name)
        assert page.value("pombo_host_datagrams_lost_total", instance=name) == 0


def test_first_report_has_values_and_no_rates(start: Launcher) -> None:
    exporter = start.exporter()
    with Sender("new", exporter.port) as sender:
        sent = sender.report(1000, *steady(1000))

        def arrived(page: Page) -> bool:
            received = page.value("pombo_host_datagrams_received_total", instance="new")
            return received == len(sent)

        page = wait_until(exporter.page, arrived, "all of the first report")
        assert page.value("host_memory_total_bytes", instance="new") == MEMORY_BYTES
        assert page.measured("new") & RATE_NAMES == set()
        sent += sender.report(1005, *steady(1005))
        page = wait_until(exporter.page, arrived, "all of the second report")
    assert page.measured("new") >= RATE_NAMES


@pytest.mark.parametrize(("before", "after"), [(1e12, 0.0), (0.0, 1e12)])
def test_restarted_agent_has_no_rate_until_its_second_report_and_then_the_true_one(
    start: Launcher, before: float, after: float
) -> None:
    exporter = start.exporter()
    sent: list[int] = []

    def arrived(page: Page) -> bool:
        received = page.value("pombo_host_datagrams_received_total", instance="again")
        return received == len(sent)

    for base, first in ((before, 50_000), (after, 10)):
        with Sender("again", exporter.port) as sender:
            sent += sender.report(first, *steady(first, base=base))
            page = wait_until(exporter.page, arrived, "the session's first report")
            assert page.measured("again") & RATE_NAMES == set()
            sent += sender.report(first + 5, *steady(first + 5, base=base))
            page = wait_until(exporter.page, arrived, "the session's second report")
            for (name, labels), expected in STEADY_RATES.items():
                rate = page.value(name, instance="again", **dict(labels))
                assert rate == pytest.approx(expected, rel=1e-3), (name, labels)


def test_agents_reach_an_exporter_at_every_address_over_ipv4_and_ipv6(start: Launcher) -> None:
    exporter = start.exporter(host="[::]")
    servers = {"four": "127.0.0.1", "six": "[::1]", "by name": "localhost"}
    for name, server in servers.items():
        start.agent(name, f"{server}:{exporter.port}")
    wait_until(
        exporter.page,
        lambda page: all(up(page, name) == 1 for name in servers),
        "the hosts over IPv4, IPv6 and by name",
    )


def test_several_servers_each_get_every_report_and_do_without_each_other(start: Launcher) -> None:
    exporters = [start.exporter(), start.exporter()]
    start.agent("both", *exporters)

    def received(exporter: Exporter) -> float:
        return exporter.page().value("pombo_host_datagrams_received_total", instance="both") or 0

    for exporter in exporters:
        page = wait_until(exporter.page, lambda page: up(page, "both"), "the host")
        assert page.value("pombo_host_datagrams_lost_total", instance="both") == 0
        assert page.measured("both") >= {"host_memory_total_bytes", "host_load1"}
    exporters[0].kill()
    so_far = received(exporters[1])
    wait_until(
        lambda: received(exporters[1]),
        lambda now: now >= so_far + 10,
        "ten more datagrams at the other exporter",
    )
    page = exporters[1].page()
    assert page.value("pombo_host_datagrams_lost_total", instance="both") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_exporter_and_agent_end_well_when_told_to(start: Launcher, number: signal.Signals) -> None:
    exporter = start.exporter()
    agent = start.agent("host", exporter)
    wait_until(exporter.page, lambda page: up(page, "host"), "the host")
    assert agent.end(number) == 0
    assert exporter.end(number) == 0


def test_exporter_has_one_thread_alone(start: Launcher) -> None:
    exporter = start.exporter()
    start.agent("pi", exporter, interval="500ms")
    wait_until(exporter.page, lambda page: up(page, "pi") == 1, "the agent's host")
    assert len([*Path(f"/proc/{exporter.pid}/task").iterdir()]) == 1


def test_exporter_whose_address_is_taken_says_so_and_ends_with_1(start: Launcher) -> None:
    def refused(kind: socket.SocketKind) -> Exporter:
        port = free_port()
        taken = socket.socket(socket.AF_INET, kind)
        holders.append(taken)
        taken.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        return start.exporter(port=port, ready=False)

    holders: list[socket.socket] = []
    exporters = [refused(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    for exporter, flag in zip(exporters, ("web", "udp"), strict=True):
        assert exporter.ended() == 1
        assert "cannot listen" in exporter.log
        assert f"flag=--{flag}.listen-address value=127.0.0.1:{exporter.port}" in exporter.log
        assert "remedy=" in exporter.log
        assert "in use" in exporter.log
    for holder in holders:
        holder.close()
