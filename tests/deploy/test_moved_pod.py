"""An exporter's pod moves: its old address is gone, and its name gets another one.

Real agents, real exporters and a name server are in networks of the kernel's own. Agents find the
exporters by the SRV records of a headless Service, as in deploy/kubernetes, and each reports to two
of three.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.headless_service import PORT, RECORD, write_pods
from support.namespaces import Network
from support.pages import Page, wait_until
from support.processes import BIN, ROOT, Launcher, Process
from support.sealing import KeyFiles

SECONDS = 1  # between two reports
REPLICAS = 2
NAMES = [f"node-{number}" for number in range(6)]

POD = "pombo-exporter-{}"
PODS = {POD.format(number): f"10.2.0.1{number}" for number in range(3)}
MOVED, NEW_ADDRESS = POD.format(0), "10.2.0.20"
_NAME_SERVER = "10.2.0.53"

#: Seconds until agents send elsewhere when nothing comes from an address any more: the time-out,
#: and two intervals. docs/kubernetes.md states the second bound.
LEFT_WITHIN = 10 + 2 * SECONDS
BACK_WITHIN = 60
BUSY = 5  # seconds more, for a busy machine

#: Where each host is up, by its name.
Seen = dict[str, set[str]]


class Site:
    """A network, its name server, and the exporters that run in it."""

    def __init__(self, network: Network, start: Launcher, folder: Path) -> None:
        self._network, self._start, self._keys = network, start, KeyFiles(folder)
        self._addresses: dict[str, str] = {}
        self._exporters: dict[str, Process] = {}
        self._records = folder / "pods.json"
        write_pods(self._records, {})
        self._have(_NAME_SERVER)
        server = ("-m", "support.headless_service", str(self._records), _NAME_SERVER)
        start.program(
            *network.servers.entered(),
            *(str(BIN / "python"), *server),
            env={"PYTHONPATH": str(ROOT / "tests")},
        )
        (folder / "resolv.conf").write_text(f"nameserver {_NAME_SERVER}\n")
        network.agents.run("mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf")

    def _have(self, address: str) -> None:
        self._network.servers.run("ip", "address", "add", f"{address}/24", "dev", "eth0")

    def start_pods(self, pods: Mapping[str, str]) -> None:
        """Start an exporter for each pod, at its address, and let names lead to it."""
        for pod, address in pods.items():
            self._have(address)
            listen = f"{address}:{PORT}"
            self._exporters[pod] = self._start.program(
                *self._network.servers.entered(),
                str(BIN / "pombo-exporter"),
                *(f"--udp.listen-address={listen}", f"--web.listen-address={listen}"),
                *(f"--seal.key-file={self._keys.fleet}", "--require-sealed"),
            )
        self._addresses |= pods
        wait_until(self.pages, bool, "the first page of each exporter")
        write_pods(self._records, self._addresses)

    def lose_pod(self, pod: str) -> None:
        """Kill an exporter, and let what is sent to its address be lost without an error."""
        address = self._addresses.pop(pod)
        nowhere = ("lladdr", "02:00:00:00:00:09", "dev", "to-servers")
        self._network.router.run("ip", "neighbour", "replace", address, *nowhere)
        self._exporters.pop(pod).kill()
        self._network.servers.run("ip", "address", "del", f"{address}/24", "dev", "eth0")
        write_pods(self._records, self._addresses)

    def start_agents(self) -> None:
        for name in NAMES:
            self._start.program(
                *self._network.agents.entered(),
                str(BIN / "pombo-agent"),
                f"--server=dnssrv+{RECORD}",
                *("--server-mode=shard", f"--server-replicas={REPLICAS}"),
                f"--key-file={self._keys.of_host(name)}",
                *(f"--interval={SECONDS}s", "--collector.disable-defaults", "--collector.loadavg"),
            )

    def pages(self) -> dict[str, Page]:
        """Return what each exporter that runs serves now."""
        return {
            pod: self._network.page(f"http://{address}:{PORT}/metrics")
            for pod, address in self._addresses.items()
        }

    def seen(self) -> Seen:
        """Return at which exporters each host is up."""
        pages = self.pages()
        return {name: {pod for pod, page in pages.items() if _is_up(page, name)} for name in NAMES}

    def seen_by_one_at_least(self) -> Seen:
        """Return the same, and fail if a host has no living exporter."""
        seen = self.seen()
        assert [name for name, pods in seen.items() if not pods] == []
        return seen


def _is_up(page: Page, name: str) -> bool:
    return page.value("pombo_host_up", instance=name) == 1


@pytest.fixture
def site(start: Launcher, tmp_path: Path) -> Iterator[Site]:
    with Network(tmp_path) as network:
        yield Site(network, start, tmp_path)


@pytest.mark.slow  # a minute: agents look up names every 30 s
@pytest.mark.parametrize("is_missed", [True, False], ids=["missed-for-long", "back-at-once"])
def test_agents_follow_a_pod_to_its_new_address_and_each_host_has_an_exporter_meanwhile(
    site: Site, *, is_missed: bool
) -> None:
    site.start_pods(PODS)
    site.start_agents()
    chosen = wait_until(
        site.seen,
        lambda seen: all(len(pods) == REPLICAS for pods in seen.values()),
        "two exporters of each host",
        within=LEFT_WITHIN + BUSY,
    )
    its_own = {name for name, pods in chosen.items() if MOVED in pods}
    assert 0 < len(its_own) < len(NAMES)

    site.lose_pod(MOVED)
    if is_missed:
        rest = {*PODS} - {MOVED}
        wait_until(
            site.seen_by_one_at_least,
            lambda seen: all(pods == rest for pods in seen.values()),
            "the third exporter of the hosts of the pod that is gone",
            within=LEFT_WITHIN + BUSY,
        )

    site.start_pods({MOVED: NEW_ADDRESS})
    wait_until(
        site.seen_by_one_at_least,
        lambda seen: seen == chosen,
        "the exporters that each host had chosen first",
        within=BACK_WITHIN + BUSY,
    )
    for page in site.pages().values():
        assert {*page.rows("pombo_host_datagrams_lost_total").values()} == {0}
        assert {*page.rows("pombo_exporter_datagrams_refused_total").values()} == {0}
