"""Every query of the dashboards, as Grafana sends it, to a Prometheus with a fleet of problems.

The fleet: an agent on a lossy network and others, two agents of one name, one that was killed,
one that is late, a disk that fills, a clock that is wrong, garbage, a receive buffer that
overflows, a machine with all kinds of collectors, and a thousand more hosts.
"""

import json
import math
import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from pombo_wire import Cpu, Disks, Filesystems, Info, Memory, Networks, Report, System, encode
from support.dashboards import Viewer
from support.fixtures import arguments_in, copy_fixture
from support.pages import wait_until
from support.processes import Exporter, Launcher, Process, Prometheus
from support.relays import Relay
from support.senders import Sender

JSON = dict[str, Any]

CROWD = 1000
HOSTS = CROWD + 8
AT_ONCE = 50  # hosts of the crowd that report at each poll
SLOW = 12  # seconds between two reports of a host that is late
ALMOST_DOWN = 2.9  # intervals
FLOOD = 3000  # datagrams, more than fit into the receive buffer
GIBIBYTE = 2.0**30
YEAR = 365 * 86400  # seconds

#: Tables that are empty without problems.
EMPTY_WITHOUT_PROBLEMS = {
    "Late or down",
    "Filesystems that fill up first",
    "Failed services",
    "Firing alerts",
    "Temperature",
}

#: The collectors whose fixtures make up one machine, and a container in them.
EQUIPPED = (
    *("conntrack", "containers", "filefd", "hwmon", "netstat", "pressure", "sockstat", "stat"),
    *("textfile", "thermal_zone"),
)
#: What a script of the machine says: a service that has failed, and a metric of its own.
SCRIPT = """node_systemd_unit_state{name="backup.service",state="failed",type="oneshot"} 1
backup_size_bytes 7e9
"""

#: Titles of rows and panels of a host for which few machines have anything.
OF_EQUIPPED = {
    "TCP, connections and files",
    "Temperatures and pressure",
    "Services and containers",
    "Own metrics",
}


@dataclass
class Problems:
    """Continues the problems of the fleet; called at each poll."""

    exporter: Exporter
    filling: Sender
    slow: Sender
    victim: Process
    written: Path
    container: Path
    _socket: socket.socket = field(
        default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    )
    _round: int = 0
    _killed: int = 0
    _next: int = 0
    _flood_at: float = 0.0
    _slow_at: float = -math.inf

    def __call__(self) -> None:
        """Send what is due."""
        now = time.monotonic()
        for _ in range(AT_ONCE):
            self._send(datagram := encode(one_of_the_crowd(self._next, self._round, now)))
            self._next = (self._next + 1) % CROWD
            self._round += self._next == 0
        if now - self._slow_at > ALMOST_DOWN * SLOW:
            self._slow_at = now
            self.slow.report(now)
        if now < self._flood_at:
            return
        self._flood_at = now + 3
        with self.written.open("ab") as file:  # a disk without requests has no latency
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        self._killed += 1
        (self.container / "memory.events").write_text(f"oom_kill {self._killed}\n")
        # An agent reads the events of a container that is busy with each report.
        (self.container / "cpu.stat").write_text(f"usage_usec {self._killed * 10**6}\n")
        post(self.exporter, json.dumps({"host": "poster", "interval": 60}).encode())
        self.filling.report(now, ("filesystems", filesystems(now)))
        clock = {"host": "fast clock", "interval": 60, "time": time.time() + 100}
        self._send(json.dumps(clock).encode())
        self._send(datagram)  # a duplicate
        self.exporter.send_signal(signal.SIGSTOP)
        for _ in range(FLOOD):
            self._send(b"garbage")
        self.exporter.send_signal(signal.SIGCONT)
        if self.victim.runs:
            self.victim.kill()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, ("127.0.0.1", self.exporter.port))


def post(exporter: Exporter, datagram: bytes) -> None:
    """Report over HTTP."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{exporter.target}/report", datagram, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == HTTPStatus.OK


def equipped(folder: Path) -> list[str]:
    """Make the files of a machine that has all that a dashboard shows; return the agent's flags."""
    flags = []
    for name in EQUIPPED:
        copy_fixture(name, folder)
        flags += [f"--collector.{name}", *arguments_in(name, folder)]
    [textfiles] = {path.parent for path in folder.rglob("*.prom")}
    (textfiles / "script.prom").write_text(SCRIPT)
    paths = (f"--path.{name}fs={folder / name}" for name in ("proc", "sys", "root"))
    return [*flags, *(f"{path}" for path in paths)]


def filesystems(now: float) -> Filesystems:
    """Return one filesystem that loses a mebibyte a second, and one that gains one."""
    moved = (now % 1e5) * 2**20
    free = (200 * GIBIBYTE - moved, 10 * GIBIBYTE + moved)
    return Filesystems(
        mountpoint=("/var", "/srv"),
        device=("/dev/sda1", "/dev/sda2"),
        fstype=("ext4", "ext4"),
        size=(300 * GIBIBYTE,) * 2,
        free=free,
        available=free,
        files=(1000.0,) * 2,
        files_free=(900.0,) * 2,
        readonly=(0.0, 0.0),
    )


def one_of_the_crowd(number: int, seq: int, now: float) -> Report:
    """Return a report of a host; the greater its number, the higher its usage."""
    share = number / CROWD
    return Report(
        host=f"crowd-{number:04}",
        session=1,
        seq=seq,
        time=time.time(),
        monotonic=now,
        interval=60,
        info=Info(agent="1", system="Linux", release="6.1", machine="x86_64"),
        system=System(load1=share, load5=share, load15=share, uptime=now),
        cpu=Cpu(cpu=("0",), user=(share * now,), idle=((1 - share) * now,)),
        memory=Memory(total=GIBIBYTE, available=(1 - share) * GIBIBYTE, used=share * GIBIBYTE),
        filesystems=Filesystems(
            mountpoint=("/",),
            device=("/dev/vda1",),
            fstype=("ext4",),
            size=(GIBIBYTE,),
            free=((1 - share / 2) * GIBIBYTE,),
            available=((1 - share / 2) * GIBIBYTE,),
        ),
        disks=Disks(device=("vda",), read_bytes=(number * now,), written_bytes=(number * now,)),
        networks=Networks(
            device=("eth0",),
            receive_bytes=(number * now,),
            transmit_bytes=(number * now,),
            receive_errors=(number * now / CROWD,),
            receive_drops=(0.0,),
            transmit_errors=(0.0,),
            transmit_drops=(0.0,),
        ),
    )


@dataclass(frozen=True)
class Recording:
    """A Prometheus, and a moment at which it had recorded all problems."""

    prometheus: Prometheus
    exporter: Exporter
    moment: float


@pytest.fixture(scope="module")
def recording(
    start_once: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recording]:
    exporter = start_once.exporter("--udp.receive-buffer=65536")
    prometheus = start_once.prometheus(exporter)
    relay = Relay(exporter.port, seed=4)
    relay.start()
    start_once.agent(
        "lossy network", f"127.0.0.1:{relay.port}", interval="2s", flags=["--label=rack=7"]
    )
    for _ in range(2):
        start_once.agent("twin", exporter, interval="2s")
    victim = start_once.agent("gone", exporter)
    machine = tmp_path_factory.mktemp("machine")
    start_once.agent("equipped", exporter, interval="2s", flags=equipped(machine))
    container = next(machine.rglob("*.scope"))
    wait_until(
        exporter.page,
        lambda exposition: exposition.value("host_load1", instance="gone") is not None,
        "a report of the agent that will be killed",
    )
    with (
        ExitStack() as stack,
        Sender("filling", exporter.port) as filling,
        Sender("slow", exporter.port, interval=SLOW) as slow,
    ):
        written = tmp_path_factory.mktemp("disk") / "written"
        problems = Problems(exporter, filling, slow, victim, written, container)
        stack.callback(relay.close)
        stack.callback(problems.close)

        moment = 0.0

        def recorded() -> set[str]:
            nonlocal moment
            problems()
            # One moment for all queries, since a host is late for a short time only. The samples of
            # a scrape have the time at which it began, so only up to the last one are all there.
            [moment] = prometheus.instant('timestamp(up{job="pombo"})').values()
            seen = prometheus.ask("query", query=ALL_PROBLEMS, time=moment)["result"]
            return {row["metric"]["problem"] for row in seen}

        wait_until(recorded, lambda seen: seen == set(PROBLEMS), "all problems", within=120)
        yield Recording(prometheus, exporter, moment)


#: Queries that return a row once a problem is recorded, for long enough to be counted.
PROBLEMS = {
    "late": 'pombo_host_late{instance="slow"} == 1',
    "down": 'pombo_host_up{instance="gone"} == 0',
    "lost": 'pombo_host_datagrams_lost_total{instance="lossy network"} > 0',
    "twice": "sum(pombo_host_datagrams_duplicate_total) > 0",
    "reordered": "sum(pombo_host_datagrams_reordered_total) > 0",
    "conflict": 'increase(pombo_host_conflicts_total{instance="twin"}[5m:15s]) > 0',
    "kernel": "increase(pombo_exporter_kernel_drops_total[5m:15s]) > 0",
    "refused": "sum(increase(pombo_exporter_datagrams_refused_total[5m:15s])) > 0",
    "clock": "pombo_host_clock_offset_seconds > 50",
    "disk": 'rate(node_disk_writes_completed_total{instance="lossy network"}[20s]) > 0',
    "killed": "increase(container_oom_events_total[5m:15s]) > 0",
    "posted": "sum(rate(pombo_exporter_report_requests_total[5m])) > 0",
    "alert": 'ALERTS{alertname="PomboHostNameConflict",alertstate="firing"}',
    "crowd": f'count(host_cpu_average_usage_ratio{{instance=~"crowd.*"}}) == {CROWD}',
    # A ranking has two values of each host, 15 seconds apart.
    "ranked": f'count(rate(node_disk_read_bytes_total{{instance=~"crowd.*"}}[5m:15s])) == {CROWD}',
    "lossy": 'rate(node_disk_read_bytes_total{instance="lossy network"}[5m:15s]) >= 0',
    # It has values, which it would not after three intervals of which each report was lost.
    "heard": 'host_memory_available_bytes{instance="lossy network"} and on (instance) '
    'pombo_host_late{instance="lossy network"} == 0',
}


#: One sample for each of them that has a row, with its name.
ALL_PROBLEMS = " or ".join(
    f'label_replace(count({expr}), "problem", "{name}", "", "")' for name, expr in PROBLEMS.items()
)


def viewer(recording: Recording, name: str, chosen: Mapping[str, str]) -> Viewer:
    """Return who looks at a dashboard at the moment of the recording."""
    return Viewer(recording.prometheus, recording.moment, name, chosen)


@pytest.fixture(scope="module")
def fleet(recording: Recording) -> Viewer:
    return viewer(recording, "fleet", {})


@pytest.fixture(scope="module")
def host(recording: Recording) -> Viewer:
    return viewer(recording, "host", {"instance": "lossy network"})


@pytest.fixture(scope="module")
def machine(recording: Recording) -> Viewer:
    return viewer(recording, "host", {"instance": "equipped"})


@pytest.fixture(scope="module")
def exporter(recording: Recording) -> Viewer:
    return viewer(recording, "exporter", {})


def check(panel: JSON, target: JSON, rows: list[tuple[JSON, list[float]]]) -> None:
    """Assert that a query returned rows that its panel can show."""
    what = f"{panel['title']}: {target['expr']}"
    assert rows, f"nothing for {what}"
    values = [value for _, series in rows for value in series]
    assert all(math.isfinite(value) for value in values), what
    if panel["type"] == "stat":
        assert len(rows) == 1, what
    labels = _labels(panel, target)
    for metric, _ in rows:
        assert labels <= {name for name, text in metric.items() if text}, (what, metric)
    if target.get("legendFormat") == "__auto":  # all labels in which series differ
        labels = {name for metric, _ in rows for name in metric}
    names = [tuple(metric.get(label) for label in sorted(labels)) for metric, _ in rows]
    assert len(set(names)) == len(names), f"two series of one name: {what}"
    least = panel["fieldConfig"]["defaults"].get("min")
    assert least is None or min(values) >= least, what


def _labels(panel: JSON, target: JSON) -> set[str]:
    """Return the labels that a panel shows for each series."""
    if target.get("format") != "table":
        return set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    [names] = [
        change["options"]["renameByName"]
        for change in panel["transformations"]
        if change["id"] == "organize"
    ]
    return {name for name in names if not name.startswith("Value")}


def test_every_variable_offers_the_values_in_prometheus(
    fleet: Viewer, host: Viewer, machine: Viewer, exporter: Viewer, recording: Recording
) -> None:
    offered = _offered(fleet)
    assert offered["job"] == ["pombo"]
    assert {"instance", "rack"} < set(offered["label"])
    assert offered["label"] == _offered(host)["label"]
    assert _offered(exporter)["exporter"] == [recording.exporter.target]
    assert {"lossy network", "twin", "gone", "slow", "filling"} < set(offered["instance"])
    assert len(offered["instance"]) == HOSTS
    assert fleet.variables["top"] in offered["top"]
    assert _offered(host)["instance"] == offered["instance"]
    assert _offered(machine)["metric"] == ["backup_size_bytes"]


def _offered(viewer: Viewer) -> dict[str, list[str]]:
    return {
        variable["name"]: viewer.values(variable)
        for variable in viewer.dashboard["templating"]["list"]
        if variable["type"] != "datasource"
    }


def test_hosts_are_chosen_by_a_label_of_their_owner(recording: Recording) -> None:
    chosen = {"label": "rack", "value": "7"}
    assert _offered(viewer(recording, "host", chosen))["instance"] == ["lossy network"]
    fleet = viewer(recording, "fleet", chosen)
    assert [value for [(_, [value])] in fleet.named("Live")] == [1]
    for title in ("All hosts", "CPU", "Disk throughput", "Share of datagrams lost"):
        for rows in fleet.named(title):
            assert {metric["instance"] for metric, _ in rows} == {"lossy network"}, title


def test_every_query_of_the_fleet_returns_rows_for_its_panel(fleet: Viewer) -> None:
    for panel in fleet.panels():
        for target in panel["targets"]:
            check(panel, target, fleet.rows(panel, target))


def test_every_query_of_an_exporter_returns_rows_for_its_panel(exporter: Viewer) -> None:
    for panel in exporter.panels():
        for target in panel["targets"]:
            check(panel, target, exporter.rows(panel, target))


def test_every_query_of_a_host_returns_rows_for_its_panel(host: Viewer, machine: Viewer) -> None:
    row = ""
    for panel in host.dashboard["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        for target in panel["targets"]:
            if row in OF_EQUIPPED and "OutSegs" not in target["expr"]:  # this machine sends some
                check(panel, target, machine.rows(panel, target))
                continue
            # This machine may have no disk that fills.
            chosen = {"instance": "filling"} if "deriv" in target["expr"] else {}
            chosen |= {"instance": "twin"} if "ALERTS" in target["expr"] else {}
            check(panel, target, host.rows(panel, target, **chosen))


def test_graphs_mark_hosts_that_are_down_that_booted_and_agents_that_started(
    fleet: Viewer, recording: Recording
) -> None:
    found = fleet.events()
    [(down, values)] = found["Down"]
    assert down["instance"] == "gone"
    assert set(values) == {1}
    started = {metric["instance"] for metric, _ in found["Agent started"]}
    assert {"lossy network", "twin", "equipped"} <= started
    assert recording.exporter.target not in started
    booted = fleet.rows({}, *_events(fleet, "Booted"), __from="0")
    assert {"lossy network", "equipped"} <= {metric["instance"] for metric, _ in booted}


def _events(viewer: Viewer, name: str) -> list[JSON]:
    return [event for event in viewer.dashboard["annotations"]["list"] if event["name"] == name]


def test_panels_of_a_fleet_of_one_host_have_rows_too(recording: Recording) -> None:
    fleet = viewer(recording, "fleet", {"instance": "lossy network"})
    for panel in fleet.panels():
        for target in panel["targets"]:
            rows = fleet.rows(panel, target)
            if panel["title"] not in EMPTY_WITHOUT_PROBLEMS:
                check(panel, target, rows)


def test_ranking_of_a_thousand_hosts_has_the_chosen_number_and_the_right_hosts(
    fleet: Viewer,
) -> None:
    for panel in fleet.panels():
        for target in panel["targets"]:
            if re.search(r"\b(top|bottom)k\(", target["expr"]):
                assert len(fleet.rows(panel, target, top="5")) <= 5, panel["title"]
    [rows] = fleet.named("Memory", top="3")
    assert {"crowd-0999", "crowd-0998", "crowd-0997"} == {m["instance"] for m, _ in rows}
    [rows] = fleet.named("Disk throughput", top="1000")
    assert len(rows) == 1000
    states, *_ = fleet.named("All hosts")
    assert len(states) == HOSTS


def _number(name: str, is_right: Callable[[float], bool]) -> Any:
    return pytest.param(name, is_right, id=name)


@pytest.mark.parametrize(
    ("title", "is_right"),
    [
        _number("Live", lambda value: value == HOSTS - 2),
        _number("Late", lambda value: value == 1),
        _number("Down", lambda value: value == 1),
        _number("Datagrams lost", lambda value: 0 < value < 0.5),
        _number("Clock offset over 1 s", lambda value: value == 1),
        _number("Lost on the network", lambda value: value >= 0),
        _number("Dropped by the kernel", lambda value: value > 100),
        _number("Refused", lambda value: value > 100),
    ],
)
def test_number_of_a_dashboard_is_that_of_the_problems(
    fleet: Viewer, exporter: Viewer, title: str, is_right: Callable[[float], bool]
) -> None:
    titles = {panel["title"] for panel in fleet.panels()}
    [[(_, [value])]] = (fleet if title in titles else exporter).named(title)
    assert is_right(value), value


def test_tables_of_problems_name_the_hosts_that_have_them(fleet: Viewer, exporter: Viewer) -> None:
    [rows] = exporter.named("Hosts with name conflicts")
    assert [metric["instance"] for metric, _ in rows] == ["twin"]
    silent, states = fleet.named("Late or down")
    assert {metric["instance"]: value for metric, [value] in states} == {"slow": 1, "gone": 2}
    assert all(value > 1 for _, [value] in silent)
    full = {
        (metric["instance"], metric["mountpoint"]): value
        for [rows] in [fleet.named("Filesystems that fill up first", top="50")]
        for metric, [value] in rows
    }
    assert ("filling", "/srv") not in full
    assert all(0 < value < YEAR for value in full.values())
    left = 200 * 1024  # seconds, at a mebibyte a second
    assert full["filling", "/var"] == pytest.approx(left, rel=0.6)


def test_refused_datagrams_are_shown_by_reason(exporter: Viewer) -> None:
    [rows] = exporter.named("Refused by reason")
    seen = {metric["reason"] for metric, values in rows if max(values) > 0}
    assert {"unknown_form", "conflict"} <= seen


def test_dashboard_of_a_host_has_its_state_agent_and_labels(host: Viewer) -> None:
    for name, state in {"lossy network": 0, "slow": 1, "gone": 2}.items():
        [[(_, [value])]] = host.named("State", instance=name)
        assert value == state, name
    [[(metric, _)]] = host.named("About")
    assert metric["rack"] == "7"
    assert metric["agent"]
    [rows] = host.named("Share lost")
    assert max(value for _, values in rows for value in values) > 0
