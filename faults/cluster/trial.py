"""Kills services of the cluster in turn, and compares what the stores have with the truth."""

import random
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import gmtime, sleep, strftime, time
from typing import Final

import orjson
from pombo_cli.addresses import Address
from support.pages import wait_until
from support.processes import found

from faults.cluster.fleet import REPLICAS, ReplicatedFleet, growth, name_of, replicated_fleet
from faults.cluster.services import Service, Services
from faults.cluster.stores import Api, Gap, Store, Total, longest_gap
from faults.harness.fleet import PLACES, total
from faults.harness.outcome import BrokenRuleError

#: Where vmauth asks: the only user of vmauth.yml, without a password.
_READER: Final = {"Authorization": "Basic cmVhZGVyOg=="}

_UP: Final = re.compile(r'^pombo_host_up\{instance="([^"]+)"\} 1$', re.MULTILINE)
_PENDING: Final = re.compile(r"^vmagent_remotewrite_pending_data_bytes\{.*\} (\S+)$", re.MULTILINE)
_REFUSED: Final = re.compile(
    r"^vmagent_remotewrite_packets_dropped_total\{.*\} (\S+)$", re.MULTILINE
)

_MOST_SAID: Final = 5  # hosts with a gap that is too long

#: Bytes that a vmagent has for the stores although each is up to date.
_MOST_PENDING: Final = 64 * 1024


#: The seconds between two scrapes and between two reports for which deploy/cluster is written.
SHIPPED_SCRAPE: Final = 30
SHIPPED_REPORT: Final = 5


@dataclass(frozen=True)
class Settings:
    """The size of a trial.

    ``lost`` is the share of datagrams that do not arrive, ``speed`` by how much all intervals are
    shorter than those of deploy/cluster.
    """

    hosts: int
    kills: int
    lost: float = 0.005
    speed: int = 2

    @property
    def report(self) -> float:
        """The seconds between two reports of a host."""
        return SHIPPED_REPORT / self.speed

    @property
    def scrape(self) -> int:
        """The seconds between two scrapes of an exporter."""
        return SHIPPED_SCRAPE // self.speed

    @property
    def longest_gap(self) -> float:
        """The seconds that a host may be without a sample."""
        return self.scrape + self.report


FULL: Final = Settings(hosts=500, kills=20)
SHORT: Final = Settings(hosts=60, kills=2)


@dataclass(frozen=True)
class Finding:
    """What a store has after services of one kind were killed.

    ``difference`` is by how much the increases of all totals differ from the truth, without signs,
    in the worst of the store's copies. ``longest_gap`` is in seconds. ``raw_decreases`` are those
    without deduplication; None where the store has only deduplicated samples.
    """

    killed: str
    kills: int
    store: str
    totals: int
    longest_gap: float
    decreases: int
    raw_decreases: int | None
    difference: float

    def check(self, settings: Settings) -> None:
        """Check that the rules hold.

        Raises:
            BrokenRuleError: when one does not.
        """
        if self.totals != settings.hosts * len(PLACES):
            raise BrokenRuleError(f"{self.totals} totals: {self}")
        if self.longest_gap > settings.longest_gap:
            raise BrokenRuleError(f"a host was without a sample for too long: {self}")
        if self.decreases or self.difference:
            raise BrokenRuleError(f"a total is not the true one: {self}")


class Trial:
    """A cluster, and a fleet that reports to it. ``say`` is called with what happens."""

    def __init__(self, settings: Settings, say: Callable[[str], object]) -> None:
        self.settings, self._say = settings, say
        self._random = random.Random(5005)
        self._stack = ExitStack()
        try:
            folder = tempfile.TemporaryDirectory(prefix="pombo-cluster-")
            self._folder = Path(self._stack.enter_context(folder))
            self._services = Services(self._folder, settings.speed)
            self._stack.callback(self._services.close)
            self._exporters = self._services.of("exporter")
            self._vmagents = self._services.of("vmagent")
            self._stores = self._new_stores()
            self._refused = 0  # what stores refused of vmagents that have ended
            self._lose(settings.lost)
            self.fleet = self._new_fleet()
            self._stack.callback(self.fleet.close)
            self.fleet.start()
            self._wait_for_replicas()
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    def logs(self) -> dict[str, str]:
        """Return what each service has logged."""
        return self._services.logs()

    def kill_exporters(self) -> list[Finding]:
        """Kill one exporter after the other.

        Some are away for so long that their hosts choose another one.
        """

        def cycle(number: int) -> None:
            self._kill([self._exporters[number % len(self._exporters)]], longest=15.0)
            self._wait_for_replicas()

        return self._findings("an exporter", cycle)

    def kill_vmagents(self) -> list[Finding]:
        """Kill one vmagent after the other."""

        def cycle(number: int) -> None:
            victim = self._vmagents[number % len(self._vmagents)]
            self._refused += _sum(victim, _REFUSED)
            self._kill([victim], longest=10.0)
            self._wait_for_scrapes(victim)

        return self._findings("a vmagent", cycle)

    def kill_stores(self) -> list[Finding]:
        """Kill one replica of each store at a time; the two stores do not know of each other.

        Meanwhile both must answer queries in full.
        """
        groups = [self._services.of("victoria"), self._services.of("receiver")]

        def cycle(number: int) -> None:
            victims = [group[number % len(group)] for group in groups]
            self._kill(victims, longest=10.0, meanwhile=self._ask_all)
            self._wait_for_queues()

        return self._findings("a store", cycle)

    def check(self) -> None:
        """Check what must hold at the end.

        Raises:
            BrokenRuleError: when a store has refused anything, or the fleet has ended.
        """
        refused = self._refused + sum(_sum(each, _REFUSED) for each in self._vmagents)
        if refused:
            raise BrokenRuleError(f"the stores have refused {refused} blocks of samples")
        if not self.fleet.is_alive():
            raise BrokenRuleError("the fleet has ended")

    def _findings(self, killed: str, cycle: Callable[[int], None]) -> list[Finding]:
        """Repeat a cycle while totals grow, and return what each store has of this time."""
        begin, before = self._settled(), self.fleet.reports()
        self.fleet.count()
        for number in range(self.settings.kills):
            cycle(number)
        self.fleet.stop_counting()
        after = self.fleet.reports()
        end = self._settled()
        truth = growth(before, after)
        self._say(f"totals grew by {sum(truth.values()):,} in {end - begin} s")
        return [self._finding(killed, store, begin, end, truth) for store in self._stores]

    def _finding(
        self, killed: str, store: Store, begin: int, end: int, truth: dict[Total, int]
    ) -> Finding:
        increases = store.increases(begin, end)
        gaps = self._gaps(store, begin, end)
        return Finding(
            killed=killed,
            kills=self.settings.kills,
            store=store.name,
            totals=min(len(each.keys() & truth.keys()) for each in increases),
            longest_gap=max(gap.seconds for gap in gaps.values()),
            decreases=store.decreases(begin, end),
            raw_decreases=store.raw_decreases(begin, end),
            difference=max(_difference(each, truth) for each in increases),
        )

    def _gaps(self, store: Store, begin: int, end: int) -> dict[str, Gap]:
        """Return the longest gap of each host, and say which are too long."""
        moments = store.moments(begin, end)
        names = map(name_of, range(self.settings.hosts))
        gaps = {name: longest_gap(moments.get(name, ()), begin, end) for name in names}
        too_long = {
            name: gap for name, gap in gaps.items() if gap.seconds > self.settings.longest_gap
        }
        for name, gap in [*too_long.items()][:_MOST_SAID]:
            self._say(
                f"{name} has no sample in {store.name} for {gap.seconds:.1f} s, "
                f"since {strftime('%H:%M:%S', gmtime(gap.since))} UTC"
            )
        if too_long:
            self._say(
                f"so it is for {len(too_long)} hosts; reports were {self.fleet.latest:.1f} s late"
            )
        return gaps

    def _settled(self) -> int:
        """Wait until all copies have the totals of now, which do not grow.

        Returns a Unix time that is a multiple of the scrape interval, at which they had them.
        """
        wanted = {
            (name_of(host), *PLACES[place]): total(host, place, reports)
            for host, reports in enumerate(self.fleet.reports())
            for place in range(len(PLACES))
        }
        scrape = self.settings.scrape
        for store in self._stores:
            wait_until(
                lambda store=store: store.missing(wanted, time()),  # type: ignore[misc]
                lambda missing: not missing,
                f"the totals of now in {store.name}",
                within=12 * scrape,
                every=1.0,
            )
        at = (int(time()) // scrape + 1) * scrape
        sleep(max(0.0, at - time()))
        return at

    def _kill(
        self,
        victims: Sequence[Service],
        longest: float,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Kill services at a moment of chance; start them again at most ``longest`` s later."""
        sleep(self._random.uniform(0.0, self.settings.report))
        seconds = self._random.uniform(1.0, longest)
        for victim in victims:
            victim.process.kill()
        names = ", ".join(victim.name for victim in victims)
        self._say(f"killed {names} for {seconds:.1f} s")
        end = time() + seconds
        meanwhile()
        sleep(max(0.0, end - time()))
        for victim in victims:
            victim.start()

    def _ask_all(self) -> None:
        """Check that each store has the totals of all hosts, though a replica is dead.

        Raises:
            BrokenRuleError: when one does not.
        """
        for store in self._stores:
            hosts = store.hosts(time())
            if hosts != self.settings.hosts:
                text = f"{store.name} has {hosts} hosts while a replica is dead"
                raise BrokenRuleError(text)

    def _wait_for_replicas(self) -> None:
        """Wait until each host is live at as many exporters as it reports to."""

        def least() -> int:
            pages = [_UP.findall(each.get("/metrics")) for each in self._exporters]
            up = [{*page} for page in pages]
            return min(
                sum(name_of(host) in page for page in up) for host in range(self.settings.hosts)
            )

        wait_until(least, lambda found: found >= REPLICAS, "all hosts to have replicas", within=60)

    def _wait_for_scrapes(self, vmagent: Service) -> None:
        """Wait until a vmagent has scraped each exporter."""

        def healthy() -> list[str]:
            targets = orjson.loads(vmagent.get("/api/v1/targets"))["data"]["activeTargets"]
            return [target["health"] for target in targets]

        wanted = ["up"] * len(self._exporters)
        wait_until(healthy, wanted.__eq__, f"{vmagent.name} to scrape", within=60, every=0.2)

    def _wait_for_queues(self) -> None:
        """Wait until the vmagents have nothing left for a store that was away."""
        for vmagent in self._vmagents:
            wait_until(
                lambda vmagent=vmagent: _sum(vmagent, _PENDING),  # type: ignore[misc]
                lambda pending: pending <= _MOST_PENDING,
                f"the queues of {vmagent.name}",
                within=120,
                every=0.2,
            )

    def _lose(self, share: float) -> None:
        """Let the network of this namespace lose a share of the datagrams to the exporters."""
        ports = ",".join(each.url.rpartition(":")[2] for each in self._exporters)
        chance = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        where = ("-p", "udp", "-m", "multiport", "--dports", ports)
        subprocess.run(
            [found("iptables"), "-A", "INPUT", *where, *chance, "-j", "DROP"], check=True
        )

    def _new_fleet(self) -> ReplicatedFleet:
        ports = [int(each.url.rpartition(":")[2]) for each in self._exporters]
        servers = [Address("127.0.0.1", port) for port in ports]
        settings = self.settings
        return replicated_fleet(self._services.key, settings.hosts, settings.report, servers)

    def _new_stores(self) -> list[Store]:
        scrape = self.settings.scrape
        reader = Api(self._services.one("reader").url, {})
        return [
            Store(
                name="VictoriaMetrics",
                whole=Api(self._services.one("vmauth").url, _READER),
                copies=[Api(each.url, {}) for each in self._services.of("victoria")],
                increase="increase(FAMILY[RANGE])",
                values="FAMILY[RANGE]",
                raw_values="",
                is_exported=True,
            ),
            Store(
                name="Prometheus",
                whole=reader,
                copies=[reader],
                increase=f"increase(FAMILY[RANGE:{scrape}s])",
                values=f"FAMILY[RANGE:{scrape}s]",
                raw_values="FAMILY[RANGE]",
                is_exported=False,
            ),
        ]


def _difference(found: dict[Total, float], truth: dict[Total, int]) -> float:
    return sum(abs(found[key] - value) for key, value in truth.items() if key in found)


def _sum(service: Service, samples: re.Pattern[str]) -> int:
    """Return the sum of samples of a service's own metrics, of which there must be some."""
    values = samples.findall(service.get("/metrics"))
    assert values, f"{service.name} has no {samples.pattern}"
    return round(sum(map(float, values)))
