"""Agents that are heard again: through NAT, connection tracking and names that change.

Real agents and a real exporter are in networks of the kernel's own, with a router between them. One
agent reports over IPv4 and one over IPv6, and what happens to the network happens to both. Each
test waits for as long as is documented: the time-out and two intervals.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.namespaces import ROUTER, SERVERS, SILENT, Network
from support.pages import Page, wait_until
from support.processes import BIN, Launcher, Process
from support.sealing import KeyFiles

SECONDS = 1  # between two reports
TIMEOUT = 10
HEARD_WITHIN = TIMEOUT + 2 * SECONDS
DOWN_WITHIN = 5 * SECONDS
BUSY = 3  # seconds more, for a busy machine

#: The agents, in the order of protocols in which addresses are listed.
NAMES = ("over-ipv4", "over-ipv6")
URL = "http://127.0.0.1:5005/metrics"
RECEIVED = "pombo_host_datagrams_received_total"


class Site:
    """A network, an exporter in it, and its agents."""

    def __init__(self, network: Network, start: Launcher, folder: Path) -> None:
        self.network, self._start = network, start
        self._keys = KeyFiles(folder)
        self.exporter = self.start_exporter()

    def start_exporter(self) -> Process:
        command = [str(BIN / "pombo-exporter"), f"--seal.key-file={self._keys.fleet}"]
        exporter = self._start.program(*self.network.servers.entered(), *command)
        wait_until(self.page, bool, "the exporter's first page")
        return exporter

    def start_agents(self, *servers: str) -> list[Process]:
        """Start an agent for each address or name of a server, and wait until it is heard."""
        agents = [self._start_agent(*each) for each in zip(NAMES, servers, strict=True)]
        self.wait_for(1, HEARD_WITHIN + BUSY)
        return agents

    def _start_agent(self, name: str, server: str) -> Process:
        host = f"[{server}]" if ":" in server else server
        return self._start.program(
            *self.network.agents.entered(),
            str(BIN / "pombo-agent"),
            f"--server={host}:5005",
            f"--key-file={self._keys.of_host(name)}",
            f"--interval={SECONDS}s",
        )

    def page(self) -> Page:
        return self.network.page(URL)

    def wait_for(self, up: float, within: float) -> None:
        """Wait until all hosts are up, or down."""
        wait_until(
            self.page,
            lambda page: {page.value("pombo_host_up", instance=name) for name in NAMES} == {up},
            f"pombo_host_up {up}",
            within,
        )

    def wait_for_reports(self, count: int) -> None:
        """Wait for so many more datagrams of each host."""
        before = [self.page().value(RECEIVED, instance=name) or 0 for name in NAMES]
        wait_until(
            self.page,
            lambda page: all(
                (page.value(RECEIVED, instance=name) or 0) >= was + count
                for name, was in zip(NAMES, before, strict=True)
            ),
            f"{count} more datagrams",
        )

    def be_silent(self, *addresses: str) -> None:
        """Let what is sent to these addresses be lost, without an error."""
        for address in addresses:
            nowhere = ("lladdr", "02:00:00:00:00:09", "dev", "to-servers")
            self.network.router.run("ip", "neighbour", "replace", address, *nowhere)


@pytest.fixture
def site(start: Launcher, tmp_path: Path) -> Iterator[Site]:
    with Network(tmp_path) as network:
        yield Site(network, start, tmp_path)
        start.close()


def test_agents_behind_nat_are_heard_when_its_address_changes(site: Site) -> None:
    site.network.filter("-t", "nat", "-A", "POSTROUTING", "-o", "to-servers", "-j", "MASQUERADE")
    agents = site.start_agents(*SERVERS[0])
    site.wait_for_reports(2)
    for old, new in zip(ROUTER, ("10.2.0.77/24", "fd00:2::77/64"), strict=True):
        prefix = new.partition("/")[2]
        for action, address in (("del", f"{old}/{prefix}"), ("add", new)):
            site.network.router.run("ip", "address", action, address, "dev", "to-servers")
    wait_until(
        site.page,
        lambda page: page.value("pombo_exporter_address_changes_total") == len(agents),
        "reports from the new address",
        HEARD_WITHIN + BUSY,
    )
    site.wait_for_reports(3)
    page = site.page()
    assert page.value("pombo_exporter_holder_changes_total") == 0
    assert [page.value("pombo_host_up", instance=name) for name in NAMES] == [1, 1]


def test_agents_behind_nat_that_forgets_each_flow_are_heard(site: Site) -> None:
    for flow in ("udp_timeout", "udp_timeout_stream"):
        site.network.router.set(f"net/netfilter/nf_conntrack_{flow}", 1)
    masquerade = ("-j", "MASQUERADE", "--random-fully")
    site.network.filter("-t", "nat", "-A", "POSTROUTING", "-o", "to-servers", *masquerade)
    agents = site.start_agents(*SERVERS[0])
    site.wait_for_reports(TIMEOUT + 5)
    assert all("does not answer" not in agent.log for agent in agents)
    assert all(agent.log.count("exporter answers") == 1 for agent in agents)


@pytest.mark.slow
def test_agents_leave_a_flow_that_connection_tracking_sends_to_the_old_exporter(
    site: Site,
) -> None:
    """As where containers have other addresses after a restart: only new flows find them."""
    udp = ("-p", "udp", "--dport", "5005", "-j", "DNAT", "--to-destination")

    def forward(action: str, to: tuple[str, str]) -> None:
        router = site.network.router
        for command, address in zip(("iptables", "ip6tables"), to, strict=True):
            router.run(command, "-t", "nat", action, "PREROUTING", *udp, address)

    forward("-A", SERVERS[0])
    agents = site.start_agents("10.1.0.1", "fd00:1::1")
    site.wait_for_reports(2)
    forward("-D", SERVERS[0])
    forward("-A", SERVERS[1])
    site.be_silent(*SERVERS[0])
    site.wait_for(0, DOWN_WITHIN + BUSY)
    site.wait_for(1, HEARD_WITHIN - DOWN_WITHIN + BUSY)
    for agent in agents:
        wait_until(lambda: agent.log, lambda log: "answers again" in log, "its log")  # noqa: B023
        assert agent.log.count("exporter does not answer") == 1
        assert 'trying="a new socket and lookup"' in agent.log
        assert agent.log.count("exporter answers again") == 1


@pytest.mark.slow
def test_agents_find_an_exporter_whose_name_has_another_address(site: Site) -> None:
    site.network.resolve({name: [SERVERS[0][place]] for place, name in enumerate(NAMES)})
    site.start_agents(*NAMES)
    site.wait_for_reports(2)
    site.network.resolve({name: [SERVERS[1][place]] for place, name in enumerate(NAMES)})
    site.be_silent(*SERVERS[0])
    site.wait_for(0, DOWN_WITHIN + BUSY)
    site.wait_for(1, HEARD_WITHIN - DOWN_WITHIN + BUSY)


@pytest.mark.slow
def test_agents_use_the_second_address_where_the_first_is_silent(site: Site) -> None:
    names = {name: [SILENT[place], SERVERS[0][place]] for place, name in enumerate(NAMES)}
    site.network.resolve(names)
    site.start_agents(*NAMES)


def test_agents_hear_of_an_exporter_that_was_killed_and_go_on(site: Site) -> None:
    agents = site.start_agents(*SERVERS[0])
    site.exporter.kill()
    for agent in agents:
        wait_until(lambda: agent.log, lambda log: "Connection refused" in log, "a line")  # noqa: B023
    site.start_exporter()
    site.wait_for(1, HEARD_WITHIN + BUSY)
    assert site.page().value("pombo_exporter_holder_changes_total") == 0
