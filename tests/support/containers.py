"""The images and services of the Compose file, built and run by podman and podman-compose.

Dockerfiles and Compose file are used unchanged. Only the images that they start from are made
here, so that no image registry is needed:

* The Python image has the Debian release of its tag, with Debian's Python.
* The Prometheus image has the Prometheus of this machine.

Builds have no network. Pip finds the pinned packages in a directory that the tests' own pip has
filled, so the Python that runs the tests must have the version of the image's.

Not covered: Docker Engine itself, Grafana, logging, the order in which services start, and the
keys of the Compose file that podman-compose ignores, such as ``uts``. Health checks run when a
test asks for them and not at their intervals.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from support.pages import wait_until
from support.processes import BIN, ROOT, Process, found

SERVICES: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]

#: The services whose images are built from a Dockerfile.
BUILT = [name for name, service in SERVICES.items() if "build" in service]

#: The lock files of what builds download.
_LOCKS = ("build", "agent", "exporter")

#: What a build needs of its base image: a shell, Python and pip, and a library of numpy.
_PACKAGES = "base-passwd,coreutils,dash,findutils,libstdc++6,python-is-python3,python3,python3-pip"

_SETTINGS = {
    "containers.conf": """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"] # podman's may exceed the hard limits
[engine]
cgroup_manager = "cgroupfs" # systemd need not run
lock_type = "file" # shared with no other podman
runtime = "runc" # crun refuses hybrid cgroups
tmp_dir = "DIRECTORY/tmp"
""",
    "storage.conf": """
[storage]
driver = "overlay"
graphroot = "DIRECTORY/store"
runroot = "DIRECTORY/run"
""",
    # A container that is read-only has writable directories in memory by podman's default, but
    # not by Docker's.
    "podman": """#!/bin/sh
[ "$1" != create ] || { shift && set -- create --read-only-tmpfs=false "$@"; }
exec podman "$@"
""",
    "pip.conf": """
[global]
no-index = true
find-links = /wheels
""",
}


class Containers:
    """Podman with images of its own, in a network namespace and a mount namespace of its own.

    The Compose file gives its services the network of the host. Here that is the network
    namespace, so their ports are always free.
    """

    def __init__(self, directory: Path) -> None:
        """Use an empty directory for images, containers and settings."""
        self._directory = directory
        for name, text in _SETTINGS.items():
            (directory / name).write_text(text.replace("DIRECTORY", str(directory)))
        (directory / "podman").chmod(0o700)
        self._variables = {
            "BUILDAH_FORMAT": "docker",  # the other one has no health checks
            "CONTAINERS_CONF": str(directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
            "DISABLE_HC_SYSTEMD": "true",  # no timers for health checks
        }
        script = (
            "PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && echo pid $$ && exec sleep infinity"
        )
        unshare = [found("unshare"), "--net", "--mount", "--propagation=slave", "/bin/sh", "-c"]
        self._as_root = [] if os.geteuid() == 0 else [found("podman"), "unshare"]
        command = [*self._as_root, *unshare, script]
        self._process = Process(command, directory / "log", env=self._variables)
        pids = wait_until(
            lambda: re.findall(r"(?m)^pid (\d+)$", self._process.log), bool, "a network namespace"
        )
        self._pid = int(pids[0])

    def close(self) -> None:
        """Remove the containers and the namespaces."""
        self.podman("rm", "--all", "--force", "--time=0")
        os.kill(self._pid, signal.SIGTERM)
        self._process.ended()
        if self._as_root:  # ends the process that keeps the user namespace
            _output(_run([found("podman"), "system", "migrate"], **self._variables))

    def build(self) -> None:
        """Build the images of the services, after those that they start from."""
        files = [ROOT / SERVICES[name]["build"]["dockerfile"] for name in BUILT]
        [base] = {tag for file in files for tag in re.findall(r"(?m)^FROM (\S+)", file.read_text())}
        with ThreadPoolExecutor() as pool:
            tasks = [pool.submit(self._download_wheels), pool.submit(self._make_base, base)]
        for task in tasks:
            task.result()
        self.podman(
            *("build", f"--tag=docker.io/{SERVICES['prometheus']['image']}", "--file=-"),
            str(Path(found("prometheus")).parent),
            stdin=f'FROM {base}\nCOPY prometheus promtool /bin/\nENTRYPOINT ["/bin/prometheus"]',
        )
        volumes = {"wheels": "/wheels", "pip.conf": "/etc/pip.conf"}
        flags = [f"--volume={self._directory / name}:{to}:ro" for name, to in volumes.items()]
        for name in BUILT:  # one after the other, since they share layers
            self._compose(f"--podman-build-args=--network=none {' '.join(flags)}", "build", name)

    def start(self, service: str) -> None:
        """Start a service and wait until it is healthy."""
        self._compose("up", "--detach", "--no-build", "--no-deps", service)
        wait_until(
            lambda: (self.healthy(service), self._podman("logs", container(service))),
            lambda seen: seen[0],
            f"{service} to be healthy",
            within=60,
        )

    def healthy(self, service: str) -> bool:
        """Run the health check of a service once, in its container."""
        return self._podman("healthcheck", "run", container(service)).returncode == 0

    def inspect(self, name: str, what: str) -> Any:
        """Return a property of a container or an image, such as ``State.Pid``."""
        return json.loads(self.podman("inspect", f"--format={{{{json .{what}}}}}", name))

    def execute(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container of a service, to its end."""
        return self._podman("exec", container(service), *command)

    def fetch(self, url: str) -> str:
        """Return what a server in the network namespace answers.

        Raises:
            OSError: when it does not, or answers with an error.
        """
        program = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
        done = self._inside([sys.executable, "-c", program, url])
        if done.returncode:
            raise OSError(done.stderr)
        return done.stdout

    def run_once(self, image: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a new container of an image, to its end."""
        return self._podman("run", "--rm", "--network=host", "--entrypoint=", image, *command)

    def podman(self, *arguments: str, stdin: str = "") -> str:
        """Run podman and return what it prints; the test fails if podman does."""
        return _output(self._podman(*arguments, stdin=stdin))

    def _podman(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self._inside([found("podman"), *arguments], stdin)

    def _compose(self, *arguments: str) -> None:
        file = f"--file={ROOT / 'docker-compose.yml'}"
        path = f"--podman-path={self._directory / 'podman'}"
        command = [str(BIN / "podman-compose"), file, path, "--in-pod=false", *arguments]
        _output(self._inside(command))

    def _inside(self, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        join = [found("nsenter"), f"--target={self._pid}", "--net", "--mount"]
        return _run([*self._as_root, *join, *command], stdin, **self._variables)

    def _make_base(self, tag: str) -> None:
        archive = str(self._directory / "base.tar")
        release = tag.rpartition("-")[2]
        flags = ["--variant=extract", f"--include={_PACKAGES}"]
        _output(_run([found("mmdebstrap"), *flags, release, archive]))
        self.podman("import", archive, f"docker.io/library/{tag}")

    def _download_wheels(self) -> None:
        flags = ["--require-hashes", "--only-binary=:all:", f"--dest={self._directory / 'wheels'}"]
        pins = [f"--requirement={ROOT / 'locks' / name}.txt" for name in _LOCKS]
        _output(_run([sys.executable, "-m", "pip", "download", *flags, *pins]))


def container(service: str) -> str:
    """Return the name of the container of a service."""
    return f"pombo_{service}_1"


def _run(
    command: Sequence[str], stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=stdin,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _output(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
    return done.stdout
