"""Real agents that share themselves among real exporters: --server-mode=shard.

The exporters have one port and loopback addresses of their own. The agents find them under a name,
in a file that they have instead of /etc/hosts.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from pombo_wire.rendezvous import order
from support.pages import Page, wait_until
from support.processes import BIN, Exporter, Launcher, Process, free_port
from support.relays import Relay
from support.sealing import KeyFiles

SECONDS = 1  # between two reports
TIMEOUT = 10
PROBE_SECONDS = 30
LOOKUP_SECONDS = 30
DOWN_WITHIN = 5 * SECONDS
BUSY = 5  # seconds more, for a busy machine

HOSTS = [f"host-{number}" for number in range(6)]
REPLICAS = 2

#: What differs between two exporters that show the same host.
OF_THE_EXPORTER = {
    "pombo_host_last_report_timestamp_seconds",
    "pombo_host_clock_offset_seconds",
    "pombo_host_datagrams_received_total",
    "pombo_host_datagrams_lost_total",
    "pombo_host_datagrams_skipped_total",
    "pombo_host_datagrams_duplicate_total",
    "pombo_host_datagrams_reordered_total",
}


def lines(process: Process, message: str) -> list[str]:
    """Return the log lines of a process with this message."""
    return [line for line in process.log.splitlines() if f'msg="{message}"' in line]


class Site:
    """Exporters by their number, and agents that look them up."""

    def __init__(self, start: Launcher, folder: Path) -> None:
        self._start, self._keys = start, KeyFiles(folder)
        self._port, self._hosts = free_port(), folder / "hosts"
        self.exporters: dict[int, Exporter] = {}
        self.agents: dict[str, Process] = {}

    def start_exporters(self, *numbers: int) -> None:
        for number in numbers:
            self.exporters[number] = self._start.exporter(
                f"--seal.key-file={self._keys.fleet}",
                "--cluster.name=site",
                host=self.address(number),
                port=self._port,
            )

    def address(self, number: int) -> str:
        return f"127.0.0.{number}"

    def list_exporters(self, *numbers: int) -> None:
        """Let the name have these addresses, from the next lookup on."""
        found = "".join(f"{self.address(number)} exporters.test\n" for number in numbers)
        self._hosts.write_text(f"127.0.0.1 localhost\n{found}")

    def command(self, *command: str) -> list[str]:
        """Return a command that looks names up in the file."""
        mounted = f'mount --bind {self._hosts} /etc/hosts && exec "$@"'
        namespace = ["unshare", "--user", "--map-root-user", "--mount"]
        return [*namespace, "sh", "-c", mounted, "sh", *command]

    def flags(self, host: str) -> list[str]:
        return [
            f"--server=dns+exporters.test:{self._port}",
            f"--key-file={self._keys.of_host(host)}",
            "--server-mode=shard",
            f"--server-replicas={REPLICAS}",
        ]

    def start_agents(self, hosts: Sequence[str] = HOSTS) -> None:
        # Light ones, so that a busy machine does not keep them from reporting.
        light = f"--interval={SECONDS}s", "--collector.disable-defaults", "--collector.cpu"
        for host in hosts:
            agent = [str(BIN / "pombo-agent"), *self.flags(host), *light]
            self.agents[host] = self._start.program(*self.command(*agent))

    def chosen(self, *numbers: int) -> dict[int, set[str]]:
        """Return the hosts of each exporter, if these are those that live."""
        names = {f"{self.address(number)}:{self._port}": number for number in numbers}
        found: dict[int, set[str]] = {number: set() for number in numbers}
        for host in self.agents:
            for name in order(host, names)[:REPLICAS]:
                found[names[name]].add(host)
        return found

    def shown(self) -> dict[int, set[str]]:
        """Return the hosts that each living exporter shows as up."""
        return {
            number: hosts_up(exporter.page())
            for number, exporter in self.exporters.items()
            if exporter.runs
        }

    def wait_for(self, expected: dict[int, set[str]], within: float) -> None:
        """Wait until the exporters show these hosts, each host at one of them all the time."""

        def shown() -> dict[int, set[str]]:
            found = self.shown()
            assert set().union(*found.values()) == {*self.agents}, "a host has no living exporter"
            return found

        wait_until(shown, lambda found: found == expected, f"{expected}", within)


def hosts_up(page: Page) -> set[str]:
    rows = page.rows("pombo_host_up")
    return {host for labels, up in rows.items() if up for _, host in labels}


@pytest.fixture
def site(start: Launcher, tmp_path: Path) -> Site:
    return Site(start, tmp_path)


def changes(site: Site) -> dict[str, list[str]]:
    """Return the reasons for which each agent has changed exporters, in their order."""
    message = "reports go to another exporter"
    return {
        host: [re.findall(r'reason="([^"]+)"', line)[0] for line in lines(agent, message)]
        for host, agent in site.agents.items()
    }


def wait_for_changes(site: Site, expected: dict[str, list[str]]) -> None:
    """Wait until the agents have logged these changes: a bye may be seen before its line."""
    wait_until(lambda: changes(site), lambda found: found == expected, f"{expected}")


def test_each_host_reports_to_the_exporters_that_its_name_chooses(site: Site) -> None:
    site.start_exporters(1, 2, 3)
    site.list_exporters(3, 1, 2)
    site.start_agents(HOSTS[:3])
    expected = site.chosen(1, 2, 3)
    wait_until(site.shown, lambda shown: shown == expected, f"{expected}")
    host, agent = next(iter(site.agents.items()))
    [line] = lines(agent, "agent started")
    assert 'mode="shard, 2 replicas"' in line
    announced = wait_until(
        lambda: lines(agent, "reports are sent"), lambda found: len(found) == REPLICAS, "a line"
    )
    used = {number for number, hosts in expected.items() if host in hosts}
    assert {re.findall(r"address=127\.0\.0\.(\d)", line)[0] for line in announced} == {
        *map(str, used)
    }
    for number, exporter in site.exporters.items():
        [labels] = exporter.page().rows("pombo_exporter_cluster_info")
        assert dict(labels)["cluster"] == "site"
        assert dict(labels)["member"].endswith(f":{exporter.port}"), number


@pytest.mark.slow  # a check of a loaded machine takes ten seconds
def test_check_lists_all_exporters_in_the_order_of_the_host_and_marks_those_in_use(
    site: Site,
) -> None:
    host = HOSTS[0]
    site.start_exporters(1, 2, 3)
    site.list_exporters(1, 2, 3)
    check = [str(BIN / "pombo-agent"), "check", *site.flags(host), "--probes=10", "--format=json"]
    done = subprocess.run(site.command(*check), capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    facts = found["host"]["facts"]
    assert facts["names"]["mark"] == "ok"
    assert [len(servers) for servers in facts["names"]["names"].values()] == [3]
    names = [each["server"] for each in found["servers"]]
    assert facts["mode"]["order"] == names == order(host, names)
    assert facts["mode"]["in_use"] == names[:REPLICAS]
    assert facts["mode"]["text"].count("(in use)") == REPLICAS
    [dead] = [
        exporter
        for number, exporter in site.exporters.items()
        if names[0].startswith(f"{site.address(number)}:")
    ]
    dead.kill()
    done = subprocess.run(site.command(*check), capture_output=True, text=True, check=False)
    facts = json.loads(done.stdout)["host"]["facts"]
    assert done.returncode == 1, "one does not answer"
    assert facts["mode"]["order"] == names
    assert facts["mode"]["in_use"] == names[1:]


@pytest.mark.slow  # a server is probed, and a name looked up, each 30 seconds
def test_no_host_is_without_an_exporter_while_exporters_die_return_and_are_added(
    site: Site,
) -> None:
    site.start_exporters(1, 2, 3)
    site.list_exporters(1, 2, 3)
    site.start_agents()
    three = site.chosen(1, 2, 3)
    wait_until(site.shown, lambda shown: shown == three, f"{three}")

    site.exporters[1].kill()
    site.wait_for(site.chosen(2, 3), TIMEOUT + 2 * SECONDS + BUSY)
    moved = three[1]
    wait_for_changes(site, {host: ["no answer"] if host in moved else [] for host in HOSTS})

    site.start_exporters(1)
    site.wait_for(three, PROBE_SECONDS + 4 * SECONDS + DOWN_WITHIN + BUSY)
    returned = ["no answer", "it answers again"]
    before = {host: returned if host in moved else [] for host in HOSTS}
    wait_for_changes(site, before)

    site.start_exporters(4)
    four = site.chosen(1, 2, 3, 4)
    assert four[4], "no host prefers the fourth exporter: use other names"
    assert four[4] != {*HOSTS}
    site.list_exporters(1, 2, 3, 4)
    site.wait_for(four, LOOKUP_SECONDS + 4 * SECONDS + BUSY)
    added = {host: ["it was added"] if host in four[4] else [] for host in HOSTS}
    wait_for_changes(site, {host: before[host] + added[host] for host in HOSTS})

    site.list_exporters(1, 2, 3)
    site.wait_for(three | {4: set()}, LOOKUP_SECONDS + 4 * SECONDS + BUSY)
    removed = {host: ["the other was removed"] if host in four[4] else [] for host in HOSTS}
    wait_for_changes(site, {host: before[host] + added[host] + removed[host] for host in HOSTS})
    for number, exporter in site.exporters.items():
        page = exporter.page()
        assert page.value("pombo_exporter_holder_changes_total") == 0, number
        lost = page.rows("pombo_host_datagrams_lost_total")
        assert all(count == 0 for count in lost.values()), number


def test_two_exporters_show_the_same_series_of_a_host_whatever_was_lost(start: Launcher) -> None:
    exporters = [start.exporter(), start.exporter()]
    relays = [Relay(exporter.port, seed) for seed, exporter in enumerate(exporters)]
    for relay in relays:
        relay.start()
    try:
        servers = [f"127.0.0.1:{relay.port}" for relay in relays]
        flags = "--server-mode=shard", f"--server-replicas={REPLICAS}"
        agent = start.agent("pi", *servers, interval="200ms", flags=flags)
        message = "exporters are chosen without failover: they do not answer"
        [line] = wait_until(lambda: lines(agent, message), bool, "a warning")
        assert "--key-file" in line
        wait_until(
            lambda: [len({*relay.entered} - {*relay.delivered}) for relay in relays],
            lambda lost: min(lost) >= 3,
            "losses on both ways",
        )
        for relay in relays:
            relay.be_quiet()
        received = [len(relay.delivered) for relay in relays]
        wait_until(
            lambda: [len(relay.delivered) for relay in relays],
            lambda now: all(b > a + 2 for a, b in zip(received, now, strict=True)),
            "two reports that arrive",
        )
        wait_until(lambda: difference(*exporters), _is_empty, "equal series of the host")
    finally:
        for relay in relays:
            relay.close()


_is_empty: Callable[[object], bool] = lambda found: not found  # noqa: E731


def difference(*exporters: Exporter) -> Iterable[object]:
    """Return what only one of the exporters shows of the host, but for what it says of itself."""
    one, other = (
        {
            (name, labels, value)
            for (name, labels), value in exporter.page().samples.items()
            if ("instance", "pi") in labels and name not in OF_THE_EXPORTER
        }
        for exporter in exporters
    )
    assert len(one) > 100
    return sorted(map(str, one ^ other))
