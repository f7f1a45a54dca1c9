"""Every rule in the real Prometheus, with a fleet on which each returns a row."""

import json
import math
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Literal

import pytest
from pombo_exporter.metrics.host_families import family_table
from pombo_wire import (
    Collectors,
    Containers,
    Cpu,
    Disks,
    Filesystems,
    Interfaces,
    Memory,
    Networks,
    OpenFamily,
    Part,
    System,
    Temperatures,
    Timex,
)
from support.pages import Labels, wait_until
from support.processes import Exporter, Launcher, Process, Prometheus
from support.senders import Sender

Kind = Literal["gauge", "counter"]

GIBIBYTE = 2**30
HOSTS = 9  # that report below, and the limit
SERIES = 3000  # the limit of a host: twice what an agent here sends
FLOOD = 2000  # datagrams into a stopped exporter's buffer
MINUTES = 300  # of history
FALL = GIBIBYTE / 60  # bytes that /falls loses in a minute: a GiB an hour
FREE = 10 * GIBIBYTE  # bytes on /falls at last

FALLING = 'device="/dev/sdb",fstype="ext4",instance="strained",job="pombo",mountpoint="/falls"'

#: The labels of a row that each rule must return, by the name of the rule.
EXPECTED: dict[str, dict[str, str]] = {
    "PomboHostDown": {"instance": "gone"},
    "PomboHostLate": {"instance": "tardy"},
    "PomboHostNameConflict": {"instance": "twin"},
    "PomboHostClockOff": {"instance": "clock"},
    "PomboDatagramLoss": {"instance": "lossy"},
    "PomboExporterDown": {"instance": "EXPORTER"},
    "PomboExporterRefusesDatagrams": {"instance": "EXPORTER", "reason": "unknown_form"},
    "PomboExporterLimitReached": {"instance": "EXPORTER", "reason": "host_limit"},
    "PomboHostTakenOver": {"instance": "EXPORTER"},
    "PomboExporterDropsDatagrams": {"instance": "EXPORTER"},
    "PomboExporterFileNotUsed": {"instance": "EXPORTER"},
    "PomboExporterHostsNearLimit": {"instance": "EXPORTER"},
    "PomboExporterCertificateExpires": {"instance": "secure:5005"},
    "PomboHostSeriesNearLimit": {"instance": "wide"},
    "HostFilesystemFillsUp": {
        "instance": "strained",
        "device": "/dev/sdb",
        "fstype": "ext4",
        "mountpoint": "/falls",
    },
    "HostFilesystemFull": {
        "instance": "strained",
        "device": "/dev/sdc",
        "fstype": "xfs",
        "mountpoint": "/full",
    },
    "HostFilesystemNearlyFull": {
        "instance": "strained",
        "device": "/dev/sdb",
        "fstype": "ext4",
        "mountpoint": "/falls",
    },
    "HostInodesNearlyUsed": {
        "instance": "strained",
        "device": "/dev/sdb",
        "fstype": "ext4",
        "mountpoint": "/falls",
    },
    "HostInodesUsed": {
        "instance": "strained",
        "device": "/dev/sdc",
        "fstype": "xfs",
        "mountpoint": "/full",
    },
    "HostFilesystemTurnedReadonly": {
        "instance": "strained",
        "device": "/dev/sdd",
        "fstype": "ext4",
        "mountpoint": "/turned",
    },
    "HostFilesystemError": {
        "instance": "strained",
        "device": "/dev/sdd",
        "fstype": "ext4",
        "mountpoint": "/turned",
    },
    "HostOutOfMemory": {"instance": "strained"},
    "HostContainerOutOfMemory": {
        "instance": "strained",
        "id": "/system.slice/db.service",
        "name": "db.service",
        "runtime": "systemd",
    },
    "HostOverloaded": {"instance": "strained"},
    "HostConnectionTrackingNearlyFull": {"instance": "strained"},
    "HostFileDescriptorsNearlyUsed": {"instance": "strained"},
    "HostNetworkSaturated": {"instance": "strained", "device": "eth0"},
    "HostBondDegraded": {"instance": "strained", "master": "bond0"},
    "HostTemperatureHigh": {"instance": "strained", "chip": "cpu", "sensor": "temp1"},
    "HostDiskSlow": {"instance": "strained", "device": "sda"},
    "HostDiskSaturated": {"instance": "strained", "device": "sda"},
    "HostRaidDegraded": {"instance": "strained", "device": "md0"},
    "HostRaidDiskFailed": {"instance": "strained", "device": "md0", "state": "failed"},
    "HostMemoryErrors": {"instance": "strained", "controller": "0"},
    "HostServiceFailed": {
        "instance": "strained",
        "name": "db.service",
        "state": "failed",
        "type": "notify",
    },
    "HostClockNotSynchronised": {"instance": "strained"},
    "HostRebooted": {"instance": "strained"},
    "HostCollectorFailed": {"instance": "strained", "collector": "diskstats"},
    "HostMemoryShort": {"instance": "strained"},
    "HostCpuBusy": {"instance": "strained"},
    "HostNetworkLosesPackets": {"instance": "strained", "device": "eth0"},
    "HostNetworkErrors": {"instance": "strained", "device": "eth0"},
    "instance:pombo_host_last_report_timestamp_seconds:down": {"instance": "gone"},
    "instance:pombo_host_datagrams_lost:ratio_rate10m": {"instance": "lossy"},
    "instance:host_filesystem_used:ratio": {
        "instance": "strained",
        "device": "/dev/sdc",
        "fstype": "xfs",
        "mountpoint": "/full",
    },
    "instance:host_filesystem_files_used:ratio": {
        "instance": "strained",
        "device": "/dev/sdc",
        "fstype": "xfs",
        "mountpoint": "/full",
    },
    "instance:host_memory_available:ratio": {"instance": "strained"},
    "instance:host_cpu_usage:avg10m": {"instance": "strained"},
}


TURNED = 'device="/dev/sdd",fstype="ext4",instance="strained",job="pombo",mountpoint="/turned"'
EXPIRY = "pombo_exporter_web_certificate_expiry_timestamp_seconds"
BOOTED = 1.7e9  # Unix seconds, before the host was rebooted


def history(now: float) -> str:
    """Return what was in OpenMetrics until a minute ago.

    The free bytes of /falls, that /turned was writable, when the host had booted, and the
    certificate of another exporter, since that of the test serves without TLS.
    """
    lines = []
    for name, labels, value in (
        ("host_filesystem_available_bytes", FALLING, lambda minute: FREE + minute * FALL),
        ("host_filesystem_readonly", TURNED, lambda _: 0),
        ("node_boot_time_seconds", 'instance="strained",job="pombo"', lambda _: BOOTED),
        (EXPIRY, 'instance="secure:5005",job="pombo"', lambda _: now + 86400),
    ):
        lines.append(f"# TYPE {name} gauge")
        lines += [
            f"{name}{{{labels}}} {value(minute)} {now - 60 * minute:.3f}"
            for minute in range(MINUTES, 0, -1)
        ]
    return "\n".join((*lines, "# EOF\n"))


def strained(moment: float) -> list[Part]:
    """Return the sections of a host that runs out of everything."""
    filesystems = Filesystems(
        mountpoint=("/falls", "/full", "/turned"),
        device=("/dev/sdb", "/dev/sdc", "/dev/sdd"),
        fstype=("ext4", "xfs", "ext4"),
        size=(100 * GIBIBYTE, GIBIBYTE, GIBIBYTE),
        free=(FREE, 0.0, GIBIBYTE),
        available=(FREE, 0.0, GIBIBYTE),
        files=(1000.0, 1000.0, 1000.0),
        files_free=(50.0, 0.0, 1000.0),
        readonly=(0.0, 0.0, 1.0),
        device_error=(0.0, 0.0, 1.0),
    )
    disks = Disks(
        device=("sda",),
        read_bytes=(4096 * moment,),
        written_bytes=(4096 * moment,),
        reads=(10 * moment,),
        writes=(10 * moment,),
        read_seconds=(2 * moment,),
        write_seconds=(2 * moment,),
        io_weighted_seconds=(500 * moment,),
    )
    networks = Networks(
        device=("eth0",),
        receive_bytes=(1e6 * moment,),
        receive_packets=(1000 * moment,),
        receive_errors=(30 * moment,),
        receive_drops=(0.0,),
        transmit_bytes=(1e6 * moment,),
        transmit_packets=(1000 * moment,),
        transmit_errors=(0.0,),
        transmit_drops=(5 * moment,),
    )
    system = System(boot_time=BOOTED + 3600, load5=9.0, file_handles=900.0, file_handles_max=1000.0)
    services = Containers(
        id=("/system.slice/db.service",),
        name=("db.service",),
        runtime=("systemd",),
        oom_kills=(moment,),
    )
    return [
        ("cpu", Cpu(cpu=("0", "1"), user=(moment, moment), idle=(7.0, 7.0))),
        ("memory", Memory(total=GIBIBYTE, available=GIBIBYTE / 20)),
        ("filesystems", filesystems),
        ("disks", disks),
        ("networks", networks),
        ("interfaces", Interfaces(device=("eth0",), speed=(2e4,))),
        ("system", system),
        ("containers", services),
        ("timex", Timex(sync_status=0.0, maxerror=16.0)),
        (
            "temperatures",
            Temperatures(chip=("cpu",), sensor=("temp1",), celsius=(99,), crit=(100,)),
        ),
        ("collectors", Collectors(collector=("diskstats",), seconds=(0.01,), success=(0.0,))),
        ("conntrack", {"entries": 900.0, "entries_limit": 1000.0}),
        ("vmstat", {"oom_kill": moment}),
        ("families", _open_families(moment)),
    ]


def _open_families(moment: float) -> dict[str, OpenFamily]:
    def family(name: str, value: float, kind: Kind = "gauge", /, **labels: str) -> None:
        columns: dict[str, tuple[str, ...]] = {label: (text,) for label, text in labels.items()}
        found[name] = OpenFamily(kind, labels=columns, values=(value,))

    found: dict[str, OpenFamily] = {}
    family("node_bonding_slaves", 2, master="bond0")
    family("node_bonding_active", 1, master="bond0")
    family("node_md_degraded", 1, device="md0")
    family("node_md_disks", 1, device="md0", state="failed")
    family("node_edac_uncorrectable_errors_total", moment, "counter", controller="0")
    family("node_systemd_unit_state", 1, name="db.service", state="failed", type="notify")
    return found


def wide(moment: float) -> list[Part]:
    """Return a section with nearly as many series as the limit."""
    columns = [name for name in Networks.__struct_fields__ if name != "device"]
    rows = int(0.95 * SERIES / family_table().catalog().series("networks", columns))
    values = dict.fromkeys(columns, (moment,) * rows)
    return [("networks", Networks(device=tuple(f"veth{row}" for row in range(rows)), **values))]


class Fleet:
    """Hosts with every problem that a rule detects; each call reports more of it."""

    def __init__(self, exporter: Exporter, victim: Process, senders: dict[str, Sender]) -> None:
        self._exporter = exporter
        self._victim = victim
        self._senders = senders
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", exporter.port))
        self._number = 0
        self._tardy_since = 0.0
        self._taken_since = 0.0

    def __call__(self) -> None:
        """Continue all problems."""
        now = time.monotonic()
        self._senders["strained"].report(now, *strained(now))
        self._senders["wide"].report(now, *wide(now))
        if now - self._tardy_since > 2.8:  # intervals: late since 0.8, and nearly down
            self._senders["tardy"].report(now)
            self._tardy_since = now
        if now - self._taken_since > 1:  # silent for ten intervals, then of another session
            self._send(host="taken", session=time.time_ns(), seq=0, interval=0.1)
            self._taken_since = now
        self._send(host="clock", time=time.time() - 3600)
        self._number += 2
        self._send(host="lossy", session=1, seq=self._number, interval=0.5)
        self._send(host=f"one host too many, {self._number}")
        self._exporter.send_signal(signal.SIGSTOP)
        for _ in range(FLOOD):
            self._socket.send(b"garbage")
        self._exporter.send_signal(signal.SIGCONT)
        if self._victim.runs:
            self._victim.kill()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, **report: object) -> None:
        self._socket.send(json.dumps(report).encode())


class Evaluation:
    """A Prometheus with the rules, and what they returned for the fleet."""

    def __init__(self, prometheus: Prometheus, exporter: Exporter) -> None:
        self._prometheus = prometheus
        self._target = exporter.target
        self.queries: dict[str, str] = {rule["name"]: rule["query"] for rule in self.rules()}
        self.seen: dict[str, dict[Labels, float]] = {}
        self.fired: dict[str, list[dict[str, Any]]] = {}

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules as Prometheus has them."""
        groups = self._prometheus.ask("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def missing(self, names: set[str]) -> set[str]:
        """Query these rules, and return the names of those without the expected row."""
        for name in names:
            rows = self._prometheus.instant(self.queries[name])
            self.seen[name] = {
                frozenset(pair for pair in row if pair[0] != "__name__"): value
                for row, value in rows.items()
            }
        return {name for name in names if frozenset(self.row(name).items()) not in self.seen[name]}

    def row(self, name: str) -> dict[str, str]:
        """Return the labels of the row that a rule must return."""
        labels = {"job": "pombo", **EXPECTED[name]}
        return {key: self._target if text == "EXPORTER" else text for key, text in labels.items()}

    def alerts(self) -> dict[str, list[dict[str, Any]]]:
        """Return the alerts that are pending or fire, by their rule's name."""
        return {rule["name"]: rule["alerts"] for rule in self.rules() if rule.get("alerts")}

    def recorded(self) -> set[str]:
        """Return the recording rules that have recorded the expected row."""
        names = {rule["name"] for rule in self.rules() if rule["type"] == "recording"}
        return {
            name
            for name in names
            if frozenset({"__name__": name, **self.row(name)}.items())
            in self._prometheus.instant(name)
        }


ALERTS = {name for name in EXPECTED if ":" not in name}
RECORDS = set(EXPECTED) - ALERTS
DOWN = {"PomboExporterDown"}  # last, because it hides all other problems


@pytest.fixture(scope="module")
def evaluation(
    start_once: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Evaluation]:
    web = tmp_path_factory.mktemp("web") / "web.yml"
    web.write_text("http_server_config: {}")
    exporter = start_once.exporter(
        "--udp.receive-buffer=200000",  # enough for everything except the flood
        f"--limit.hosts={HOSTS}",
        f"--limit.series-per-host={SERIES}",
        f"--web.config.file={web}",
    )
    web.write_text("no such key: 1")
    prometheus = start_once.prometheus(exporter, history(time.time()))
    victim = start_once.agent("gone", exporter)
    for _ in range(2):
        start_once.agent("twin", exporter, interval="1s")

    def live() -> int:
        return exporter.counted("pombo_exporter_hosts", state="live")

    # Agents take seconds to start on a busy machine, and a second later the tardy host is late.
    wait_until(live, lambda hosts: hosts == 2, "the hosts of agents")
    with ExitStack() as stack:
        senders = {
            name: stack.enter_context(Sender(name, exporter.port, interval=interval))
            for name, interval in {"strained": 60, "wide": 60, "tardy": 1}.items()
        }
        for sender in senders.values():
            sender.report(0.0, ("memory", Memory(total=GIBIBYTE)))
        for name in ("clock", "lossy", "taken", "ninth"):
            senders["strained"].raw(json.dumps({"host": name}).encode())
        wait_until(live, lambda hosts: hosts == HOSTS, "the limit of hosts")
        fleet = Fleet(exporter, victim, senders)
        stack.callback(fleet.close)
        evaluation = Evaluation(prometheus, exporter)

        def without_row() -> set[str]:
            fleet()
            return evaluation.missing(set(EXPECTED) - DOWN)

        def not_evaluated() -> set[str]:
            fleet()
            return (ALERTS - DOWN - set(evaluation.alerts())) | (RECORDS - evaluation.recorded())

        for read, what in (
            (without_row, "every query to return its row"),
            (not_evaluated, "every rule to be evaluated"),
        ):
            wait_until(read, lambda names: not names, what, within=120, every=0.5)
        evaluation.fired = evaluation.alerts()
        exporter.end()
        wait_until(lambda: evaluation.missing(DOWN), lambda missing: not missing, "up to be 0")
        wait_until(
            evaluation.alerts, lambda alerts: alerts.keys() >= DOWN, "the last alert", within=60
        )
        evaluation.fired |= {name: evaluation.alerts()[name] for name in DOWN}
        yield evaluation


def test_every_rule_is_expected_here_and_evaluated_without_error(evaluation: Evaluation) -> None:
    assert set(evaluation.queries) == set(EXPECTED)
    faults = [
        rule for rule in evaluation.rules() if rule["health"] != "ok" or rule.get("lastError")
    ]
    assert not faults


@pytest.mark.parametrize("name", EXPECTED)
def test_rule_returns_rows_of_the_expected_shape(evaluation: Evaluation, name: str) -> None:
    for row, value in evaluation.seen[name].items():
        assert dict(row).keys() == evaluation.row(name).keys()
        assert math.isfinite(value)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_annotations_of_an_alert_name_its_instance_and_have_all_values(
    evaluation: Evaluation, name: str
) -> None:
    wanted = evaluation.row(name)
    [alert] = [
        alert for alert in evaluation.fired[name] if wanted.items() <= alert["labels"].items()
    ]
    texts = alert["annotations"]
    assert wanted["instance"] in texts["summary"]
    for text in texts.values():
        assert not re.search(r"<no value>|<error|{{|NaN|Inf", text), text


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("PomboHostClockOff", lambda value: -3660 < value < -3540),
        ("PomboDatagramLoss", lambda value: 0.3 < value < 0.6),  # every other one
        ("PomboExporterHostsNearLimit", lambda value: value == 1),
        ("PomboHostSeriesNearLimit", lambda value: 0.8 < value <= 1),
        ("HostFilesystemFull", lambda value: value == 1),
        ("HostFilesystemNearlyFull", lambda value: value == pytest.approx(0.9)),
        ("HostDiskSlow", lambda value: value == pytest.approx(0.2)),
        ("HostNetworkSaturated", lambda value: value > 0.9),
        ("HostMemoryShort", lambda value: value == 1 / 20),
        ("HostCpuBusy", lambda value: value == 1),
        ("HostNetworkLosesPackets", lambda value: value == pytest.approx(35, rel=0.1)),
        ("HostNetworkErrors", lambda value: value == pytest.approx(0.015, rel=0.2)),
    ],
)
def test_rule_returns_the_value_of_its_problem(
    evaluation: Evaluation, name: str, is_right: Callable[[float], bool]
) -> None:
    value = evaluation.seen[name][frozenset(evaluation.row(name).items())]
    assert is_right(value), value
