"""Machines with a systemd of their own, which is the first process of namespaces made for it.

A machine has a copy of a folder as its root, which is gone afterwards, and this machine's kernel.
``Machine`` has this machine's programs and network, and Pombo's programs and units.

Not covered: limits of memory and tasks where the machine's control groups are of version 1, and
real devices.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.pages import wait_until
from support.processes import ROOT, Process, found

#: The units by the programs that they run.
UNITS = {
    "pombo-agent": ROOT / "agent/pombo-agent.service",
    "pombo-exporter": ROOT / "exporter/pombo-exporter.service",
}

# Units may not see folders such as /home and /tmp, where the repository and Python may be.
_PYTHON, _REPOSITORY = Path("/opt/python"), Path("/opt/pombo")
_PACKAGES = Path(sys.executable).parents[1].relative_to(ROOT) / Path(
    "lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages"
)
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COUNT = itertools.count()
_PROGRAM = """\
#!/bin/sh
LD_LIBRARY_PATH={python}/lib PYTHONPATH={path} exec {python}/bin/python3 -m {module} "$@"
"""

_MOUNT = """\
set -eu
PATH=$PATH:/usr/sbin:/sbin
folder=$1 lower=$2
mount -t tmpfs tmpfs "$folder"
cd "$folder"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" root
cd root
mount -t proc proc proc
"""

# With a network of its own, or that of this machine.
_OWN_SYS = """\
ip link set lo up
mount -t sysfs sysfs sys
"""
_SHARED_SYS = """\
mount --rbind /sys sys
"""

_START = """\
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts run/units
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mount -t devpts devpts dev/pts
ln -s pts/ptmx dev/ptmx
@prepare@
pivot_root . mnt
cd /
umount -l /mnt
mount --make-rshared /
exec env -i container=pombo @variables@ \\
    /lib/systemd/systemd --system --unit=@target@ --show-status=no \\
    systemd.unified_cgroup_hierarchy=1
"""

_PREPARE = """\
mkdir -p opt/python opt/pombo
mount --bind "$3" opt/python
mount --bind "$4" opt/pombo
for target in boot basic sysinit network-online shutdown; do
    printf '[Unit]\\nDefaultDependencies=no\\n' > "run/units/$target.target"
done
"""


@dataclass(frozen=True)
class Boot:
    """What a machine starts with.

    ``prepare`` is a script that runs in the new root, with ``paths`` from ``$3``.
    """

    lower: Path  # of which the root is a copy
    own_network: bool
    target: str = "multi-user.target"
    prepare: str = ""
    paths: Sequence[Path | str] = ()
    variables: Sequence[str] = ()

    @property
    def script(self) -> str:
        """What becomes the first process."""
        start = _START.replace("@prepare@", self.prepare).replace("@target@", self.target)
        start = start.replace("@variables@", " ".join(self.environment))
        return _MOUNT + (_OWN_SYS if self.own_network else _SHARED_SYS) + start

    @property
    def environment(self) -> list[str]:
        """The variables of the machine's programs."""
        return [_PATH, *self.variables]


class Systemd:
    """A systemd that runs as the first process of namespaces that are made for it."""

    def __init__(self, directory: Path, boot: Boot) -> None:
        """Boot; ``directory`` is an empty one for the files."""
        root = directory / "root"
        root.mkdir()
        self._environment = boot.environment
        # A user other than root has no control groups that a systemd could manage.
        self._as_root = [] if os.geteuid() == 0 else [found("sudo"), "--non-interactive"]
        self._cgroup = _cgroups() / f"pombo-{os.getpid()}-{next(_COUNT)}"
        # It ends with the tests, also where these are killed.
        script = 'mkdir "$0" && echo $$ > "$0/cgroup.procs" && exec setpriv --pdeathsig=KILL "$@"'
        enter = ["/bin/sh", "-c", script, str(self._cgroup)]
        namespaces = ["--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--cgroup"]
        namespaces += ["--net"] if boot.own_network else []
        flags = [*namespaces, "--propagation=private", "/bin/sh", "-c", boot.script]
        paths = map(str, (root, boot.lower, *boot.paths))
        command = [*self._as_root, *enter, found("unshare"), *flags, "boot", *paths]
        self._process = Process(command, directory / "log")
        self.pid = ""
        try:
            wait_until(self._state, lambda state: state == "running", "systemd", within=60)
        except AssertionError:
            self.close()
            raise

    def entered(self) -> list[str]:
        """Return what runs a command there as root, as a prefix of the command."""
        join = [found("nsenter"), f"--target={self.pid}", "--all", "--wdns=/"]
        return [*self._as_root, *join, "env", "-i", "HOME=/root", *self._environment]

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command as root, and return what it prints; the test fails if the command does."""
        done = self.tried(*command, stdin=stdin)
        logs = "" if done.returncode == 0 else self.logs()
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}{logs}"
        return done.stdout

    def tried(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as root, which may fail."""
        return _run([*self.entered(), *command], stdin)

    def outside(self, *command: str) -> None:
        """Run a command of this machine as root; the test fails if the command does."""
        done = _run([*self._as_root, *command])
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def network(self, *arguments: str) -> None:
        """Run ``ip`` of this machine in the network of the system."""
        self.outside(found("nsenter"), f"--target={self.pid}", "--net", found("ip"), *arguments)

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        """Write a file."""
        self.run("install", "-D", f"--mode={mode}", "/dev/stdin", path, stdin=text)

    def property(self, unit: str, name: str) -> str:
        """Return a property of a unit, such as ``MainPID``."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).strip()

    def logs(self) -> str:
        """Return what the services have logged."""
        return self.tried("journalctl", "--no-pager", "--lines=60").stdout

    def close(self) -> None:
        """End all its processes, and remove its control groups."""
        _run([*self._as_root, "sh", "-c", 'echo 1 > "$0/cgroup.kill"', str(self._cgroup)])
        self._process.ended()
        remove = [*self._as_root, "find", str(self._cgroup), "-depth", "-type", "d", "-delete"]
        wait_until(lambda: _run(remove).returncode, lambda code: code == 0, "no process to be left")

    def _state(self) -> str:
        """Return the state of systemd, which is not alone in its group before it runs."""
        self.pid = (self._cgroup / "init.scope/cgroup.procs").read_text().strip()
        return self.tried("systemctl", "is-system-running").stdout.strip()


class Machine(Systemd):
    """This machine's programs, with Pombo's programs and units, of which none is started."""

    def __init__(self, directory: Path) -> None:
        """Use an empty directory for its files."""
        boot = Boot(
            Path("/"),
            own_network=False,
            target="boot.target",
            prepare=_PREPARE,
            paths=(sys.base_prefix, ROOT),
            variables=["SYSTEMD_UNIT_PATH=/run/units"],
        )
        super().__init__(directory, boot)
        for name, unit in UNITS.items():
            self.write(f"/run/units/{unit.name}", unit.read_text())
            module = f"pombo_{name.removeprefix('pombo-')}"
            path = ":".join(
                str(_REPOSITORY / each) for each in ("wire", "cli", "agent", "exporter", _PACKAGES)
            )
            program = _PROGRAM.format(python=_PYTHON, path=path, module=module)
            self.write(f"/usr/local/bin/{name}", program, mode="0755")
            output = f"StandardOutput=append:/run/{name}.out"
            self.drop_in(name, "log", output, f"StandardError=append:/run/{name}.log")

    def drop_in(self, unit: str, name: str, *lines: str) -> None:
        """Add settings to a service, as ``systemctl edit`` does."""
        text = "\n".join(["[Service]", *lines, ""])
        self.write(f"/run/units/{unit}.service.d/{name}.conf", text)
        self.run("systemctl", "daemon-reload")

    def logs(self) -> str:
        """Return what the services have logged."""
        return self.tried("sh", "-c", "tail --lines=40 /run/pombo-*.log").stdout


def _run(command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=120
    )


def _cgroups() -> Path:
    """Return where the control groups of version 2 are."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(mount.split()[4])
    raise AssertionError("no control groups of version 2 are mounted")
