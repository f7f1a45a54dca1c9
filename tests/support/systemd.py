"""The systemd units, run by a systemd of their own on which Pombo is installed.

It is the first process of namespaces that are made for it. It has this machine's programs, kernel
and network, and its own ``/etc``, ``/run`` and ``/var``, which are gone afterwards.

Not covered: limits of memory and tasks where the machine's control groups are of version 1, and
real devices.
"""

import os
import subprocess
import sys
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
_PROGRAM = """\
#!/bin/sh
LD_LIBRARY_PATH={python}/lib PYTHONPATH={path} exec {python}/bin/python3 -m {module} "$@"
"""

_BOOT = """\
set -eu
PATH=$PATH:/usr/sbin:/sbin
folder=$1 python=$2 repository=$3
mount -t tmpfs tmpfs "$folder"
cd "$folder"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" root
cd root
mkdir -p opt/python opt/pombo
mount --bind "$python" opt/python
mount --bind "$repository" opt/pombo
mount -t proc proc proc
mount --rbind /sys sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts run/units
for name in null zero full random urandom; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mount -t devpts devpts dev/pts
ln -s pts/ptmx dev/ptmx
for target in boot basic sysinit network-online shutdown; do
    printf '[Unit]\\nDefaultDependencies=no\\n' > "run/units/$target.target"
done
pivot_root . mnt
cd /
umount -l /mnt
mount --make-rshared /
exec env -i container=pombo PATH=/usr/bin:/bin SYSTEMD_UNIT_PATH=/run/units \\
    /lib/systemd/systemd --system --unit=boot.target --show-status=no \\
    systemd.unified_cgroup_hierarchy=1
"""


class Machine:
    """A systemd that runs, with Pombo's programs and units, of which none is started."""

    def __init__(self, directory: Path) -> None:
        """Use an empty directory for its files."""
        root = directory / "root"
        root.mkdir()
        # A user other than root has no control groups that a systemd could manage.
        self._as_root = [] if os.geteuid() == 0 else [found("sudo"), "--non-interactive"]
        self._cgroup = _cgroups() / f"pombo-{os.getpid()}"
        # It ends with the tests, also where these are killed.
        script = 'mkdir "$0" && echo $$ > "$0/cgroup.procs" && exec setpriv --pdeathsig=KILL "$@"'
        enter = ["/bin/sh", "-c", script, str(self._cgroup)]
        namespaces = ["--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--cgroup"]
        unshare = [found("unshare"), *namespaces, "--propagation=private", "/bin/sh", "-c", _BOOT]
        paths = [str(root), sys.base_prefix, str(ROOT)]
        command = [*self._as_root, *enter, *unshare, "boot", *paths]
        self._process = Process(command, directory / "log")
        self._pid = ""
        try:
            wait_until(self._state, lambda state: state == "running", "systemd")
        except AssertionError:
            self.close()
            raise
        for name, unit in UNITS.items():
            self.write(f"/run/units/{unit.name}", unit.read_text())
            module = f"pombo_{name.removeprefix('pombo-')}"
            path = ":".join(
                str(_REPOSITORY / each) for each in ("wire", "cli", "agent", "exporter", _PACKAGES)
            )
            program = _PROGRAM.format(python=_PYTHON, path=path, module=module)
            self.write(f"/usr/local/bin/{name}", program, mode="0755")
            self.drop_in(name, "log", f"StandardError=append:/run/{name}.log")

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command as root, and return what it prints; the test fails if the command does."""
        done = self._run(*command, stdin=stdin)
        logs = "" if done.returncode == 0 else self.logs()
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}{logs}"
        return done.stdout

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        """Write a file."""
        self.run("install", "-D", f"--mode={mode}", "/dev/stdin", path, stdin=text)

    def drop_in(self, unit: str, name: str, *lines: str) -> None:
        """Add settings to a service, as ``systemctl edit`` does."""
        text = "\n".join(["[Service]", *lines, ""])
        self.write(f"/run/units/{unit}.service.d/{name}.conf", text)
        self.run("systemctl", "daemon-reload")

    def property(self, unit: str, name: str) -> str:
        """Return a property of a unit, such as ``MainPID``."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).strip()

    def logs(self) -> str:
        """Return what the services have logged."""
        return self._run("sh", "-c", "tail --lines=40 /run/pombo-*.log").stdout

    def close(self) -> None:
        """End all its processes, and remove its control groups."""
        _run([*self._as_root, "sh", "-c", 'echo 1 > "$0/cgroup.kill"', str(self._cgroup)])
        self._process.ended()
        remove = [*self._as_root, "find", str(self._cgroup), "-depth", "-type", "d", "-delete"]
        wait_until(lambda: _run(remove).returncode, lambda code: code == 0, "no process to be left")

    def _state(self) -> str:
        """Return the state of systemd, which is not alone in its group before it runs."""
        self._pid = (self._cgroup / "init.scope/cgroup.procs").read_text().strip()
        return self._run("systemctl", "is-system-running").stdout.strip()

    def _run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        join = [found("nsenter"), f"--target={self._pid}", "--all", "--wdns=/"]
        environment = ["env", "SYSTEMD_UNIT_PATH=/run/units"]
        return _run([*self._as_root, *join, *environment, *command], stdin)


def _run(command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )


def _cgroups() -> Path:
    """Return where the control groups of version 2 are."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(mount.split()[4])
    raise AssertionError("no control groups of version 2 are mounted")
