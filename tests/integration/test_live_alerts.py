"""Alerts of a live Prometheus, about a machine that breaks: a real agent on files of the test."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.pages import wait_until
from support.processes import BIN, Exporter, Launcher, Process, Prometheus, found
from support.system_bus import Service, serving

pytestmark = pytest.mark.slow

MIB = 2**20
NODES = 64  # inodes of /var/mail

#: Lets a program see another time of day. The command faketime would leave it when it ends itself.
OTHER_TIME = {
    "LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1",
    "FAKETIME": "+97s",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}

SYSTEMD, MANAGER = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
UNITS = (MANAGER, f"{SYSTEMD}.Manager", "ListUnits")

MDSTAT = """\
Personalities : [raid1]
md0 : active raid1 sdb1[1]{failed} sda1[0]
      1046528 blocks super 1.2 [2/{active}] [{disks}]

unused devices: <none>
"""
MOUNTINFO = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 8:17 / /var/lib/db rw,relatime shared:2 - ext4 /dev/sdb1 rw
23 21 8:33 / /var/mail rw,relatime shared:3 - ext4 /dev/sdc1 rw
"""
COLLECTORS = ("filesystem", "mdadm", "meminfo", "systemd", "vmstat")

#: Mounts two small filesystems where the agent looks for them, and becomes the agent.
ENTER = f"""\
mount -t tmpfs -o size={MIB} tmpfs "$1/tree/var/lib/db"
mount -t tmpfs -o nr_inodes={NODES} tmpfs "$1/tree/var/mail"
shift
exec "$@"
"""

#: The labels of each alert that fires once all is broken, besides those that all have.
EXPECTED: dict[str, dict[str, str]] = {
    "HostFilesystemFull": {
        "instance": "server",
        "device": "/dev/sdb1",
        "fstype": "ext4",
        "mountpoint": "/var/lib/db",
        "severity": "critical",
    },
    "HostInodesUsed": {
        "instance": "server",
        "device": "/dev/sdc1",
        "fstype": "ext4",
        "mountpoint": "/var/mail",
        "severity": "critical",
    },
    "HostOutOfMemory": {"instance": "server", "severity": "critical"},
    "HostServiceFailed": {
        "instance": "server",
        "name": "db.service",
        "state": "failed",
        "type": "notify",
        "severity": "warning",
    },
    "HostRaidDegraded": {"instance": "server", "device": "md0", "severity": "critical"},
    "HostRaidDiskFailed": {
        "instance": "server",
        "device": "md0",
        "state": "failed",
        "severity": "warning",
    },
    "PomboHostClockOff": {"instance": "ahead", "severity": "warning"},
}

#: What still holds when all is mended: it happened in the last ten minutes.
PAST = {"HostOutOfMemory"}


def unit(state: str) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the answer of systemd to ``ListUnits``."""
    path = f"{MANAGER}/unit/db_2eservice"
    return (
        "a(ssssssouso)",
        [("db.service", "A database", "loaded", state, state, "", path, 0, "", "/")],
    )


def properties() -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the properties of systemd and of its unit."""
    manager = {"Version": "252", "Virtualization": "", "SystemState": "running"}
    return {
        (f"{MANAGER}/unit/db_2eservice", f"{SYSTEMD}.Service", "Type"): ("s", "notify"),
        **{(MANAGER, f"{SYSTEMD}.Manager", name): ("s", text) for name, text in manager.items()},
    }


class Machine:
    """The files of a machine, its systemd, and the agent that reads them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: What systemd answers.
        self.units: dict[tuple[str, str, str], tuple[str, Any]] = {}
        for path in ("tree/var/lib/db", "tree/var/mail"):
            (folder / path).mkdir(parents=True)
        self._write("proc/1/mountinfo", MOUNTINFO)
        self._write("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\n")
        self._write("proc/vmstat", "oom_kill 7\n")
        self._write("sys/block/md0/md/level", "raid1\n")
        self._write("sys/block/md0/md/raid_disks", "2\n")
        self._be_well()

    def agent(self, exporter: Exporter) -> list[str]:
        """Return the command of an agent in a mount namespace of its own."""
        unshare = [found("unshare"), "--user", "--map-root-user", "--mount", "sh", "-euc", ENTER]
        folders = {"procfs": "proc", "sysfs": "sys", "rootfs": "tree"}
        paths = [f"--path.{name}={self._folder / path}" for name, path in folders.items()]
        collectors = [f"--collector.{name}" for name in ("disable-defaults", *COLLECTORS)]
        said = [f"--server={exporter.target}", "--name=server", "--interval=500ms"]
        agent = [str(BIN / "pombo-agent"), *said, *paths, *collectors]
        return [*unshare, "sh", str(self._folder), *agent]

    def break_down(self, agent: Process) -> None:
        """Fill the disk, use up the inodes, kill a program, fail a service and a disk."""
        (self._inside(agent, "/var/lib/db") / "table").write_bytes(bytes(MIB - 8192))
        for number in range(NODES - 2):
            (self._inside(agent, "/var/mail") / str(number)).touch()
        self._write("proc/vmstat", "oom_kill 8\n")
        self._write("proc/mdstat", MDSTAT.format(failed="(F)", active=1, disks="U_"))
        self._write("sys/block/md0/md/degraded", "1\n")
        self.units[UNITS] = unit("failed")

    def mend(self, agent: Process) -> None:
        """Undo what can be undone."""
        self._be_well()
        for folder in ("/var/lib/db", "/var/mail"):
            for file in self._inside(agent, folder).iterdir():
                file.unlink()

    def _be_well(self) -> None:
        self._write("proc/mdstat", MDSTAT.format(failed="", active=2, disks="UU"))
        self._write("sys/block/md0/md/degraded", "0\n")
        self.units[UNITS] = unit("active")

    def _inside(self, agent: Process, mountpoint: str) -> Path:
        """Return a folder of the machine as the agent sees it, in its mount namespace."""
        return Path(f"/proc/{agent.pid}/root{self._folder}/tree{mountpoint}")

    def _write(self, path: str, text: str) -> None:
        """Write a file, of which the agent never reads a half."""
        file, new = self._folder / path, self._folder / "new"
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.rename(file)


def test_alerts_fire_when_a_machine_breaks_and_end_when_it_is_mended(
    start: Launcher, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "machine")
    service = Service(SYSTEMD, machine.units, properties())
    exporter = start.exporter()
    prometheus = start.prometheus(exporter, hold="1s")
    with serving(service, tmp_path) as bus, ExitStack() as stack:
        agent = start.program(*machine.agent(exporter), env={"DBUS_SYSTEM_BUS_ADDRESS": bus})
        wait_until(
            lambda: prometheus.instant('node_systemd_unit_state{state="active"}'),
            lambda rows: [*rows.values()] == [1],
            "the first report of the machine",
        )
        assert firing(prometheus) == {}

        machine.break_down(agent)
        few = [f"--collector.{name}" for name in ("disable-defaults", "meminfo")]
        said = [f"--server={exporter.target}", "--name=ahead", "--interval=500ms", *few]
        ahead = start.program(str(BIN / "pombo-agent"), *said, env=OTHER_TIME)
        stack.callback(ahead.kill)  # when it ends itself, libfaketime breaks its last sleep
        wait_until(lambda: firing(prometheus), lambda now: now == EXPECTED, "all alerts", 60)

        machine.mend(agent)
        left = {name: EXPECTED[name] for name in (*PAST, "PomboHostClockOff")}
        wait_until(lambda: firing(prometheus), lambda now: now == left, "their end", 60)


def firing(prometheus: Prometheus) -> dict[str, dict[str, str]]:
    """Return the labels of each alert that fires about the two hosts, by its name."""
    found = {}
    for alert in prometheus.ask("alerts")["alerts"]:
        labels = alert["labels"]
        if alert["state"] == "firing":
            name = labels.pop("alertname")
            assert labels.pop("job") == "pombo"
            assert name not in found, f"{name} fires twice"
            found[name] = labels
    return found
