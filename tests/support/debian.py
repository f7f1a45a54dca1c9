"""Clean Debian systems from mmdebstrap, each with its own systemd and in a network of its own."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.pages import Page, parsed_page
from support.processes import found
from support.systemd import Boot, Systemd

#: What Pombo's packages depend on, and what starts services. dpkg does not fetch anything.
_INCLUDED = "adduser,python3,systemd"

# The kernel is this machine's, so the system may not load modules into it.
_PREPARE = """\
mkdir -p run/systemd/system
ln -s /dev/null run/systemd/system/systemd-modules-load.service
"""

_FETCH = """
import sys, time, urllib.request
asked_at = time.time()
with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
    text = answer.read().decode()
sys.stdout.write(f"{asked_at} {time.time()}\\n{text}")
"""


def make_base(release: str, folder: Path, *more: str) -> Path:
    """Install a Debian release, with ``more`` packages, into a new folder and return that."""
    included = f"--include={','.join([_INCLUDED, *more])}"
    flags = ["--variant=minbase", "--quiet", "--skip=output/dev", included]
    done = subprocess.run(
        [found("mmdebstrap"), *flags, release, folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Debian(Systemd):
    """A Debian system that runs; its network has no other members until it is connected."""

    def __init__(self, directory: Path, base: Path) -> None:
        """Boot a copy of ``base``; ``directory`` is an empty one for changes."""
        super().__init__(directory, Boot(base, own_network=True, prepare=_PREPARE))

    def copy(self, file: Path, to: str) -> None:
        """Copy a file of this machine."""
        self.outside("cp", str(file), self._outside_path(to))

    def install(self, *packages: Path) -> str:
        """Install packages by dpkg alone, and return what it prints."""
        for package in packages:
            self.copy(package, f"/tmp/{package.name}")
        paths = [f"/tmp/{package.name}" for package in packages]
        return self.run("dpkg", "--install", "--force-confold", *paths)

    def add_python(self, interpreter: Path) -> None:
        """Let another Python of this machine be ``python3``, as if it had been built there."""
        name, prefix = interpreter.name, interpreter.parents[1]
        parts = [f"bin/{name}", f"lib/{name}", f"lib/lib{name}.so.1.0"]
        left_out = [f"--exclude=lib/{name}/{each}" for each in ("site-packages", "test")]
        archive = ["tar", f"--directory={prefix}", *left_out, "--create", *parts]
        to = f"--directory={self._outside_path('/usr/local')}"
        copy = f"{shlex.join(archive)} | tar {to} --no-same-owner --extract"
        self.outside("sh", "-c", copy)
        self.run("ln", "--symbolic", name, "/usr/local/bin/python3")
        self.run("ldconfig")

    def files(self) -> set[str]:
        """Return the paths of all files that stay when the system is off, but for dpkg's log."""
        left_out = ["-not", "-path", "/tmp/*", "-not", "-path", "/var/log/dpkg.log"]
        return {*self.run("find", "/", "-xdev", *left_out).splitlines()}

    def fetch(self, url: str) -> str:
        """Return what a server answers in this network.

        Raises:
            OSError: when none answers, or it answers with an error.
        """
        return self._fetched(url)[2]

    def page(self, url: str) -> Page:
        """Return the exposition of a server in this network.

        Raises:
            OSError: when none answers, or it answers with an error.
        """
        asked_at, answered_at, text = self._fetched(url)
        return parsed_page(text, asked_at, answered_at)

    def _outside_path(self, path: str) -> str:
        """Return where a file of the system is for programs of this machine."""
        return f"/proc/{self.pid}/root{path}"

    def _fetched(self, url: str) -> tuple[float, float, str]:
        done = self.tried("python3", "-c", _FETCH, url)
        if done.returncode:
            raise OSError(done.stderr)
        times, _, text = done.stdout.partition("\n")
        asked_at, answered_at = map(float, times.split())
        return asked_at, answered_at, text


def connect(one: Debian, other: Debian, addresses: Sequence[str]) -> None:
    """Connect the networks of two systems, which get these addresses."""
    name = "eth0"
    pair = ["type", "veth", "peer", "name", name, "netns", other.pid]
    one.network("link", "add", name, *pair)
    for system, address in zip((one, other), addresses, strict=True):
        system.network("address", "add", f"{address}/24", "dev", name)
        system.network("link", "set", name, "up")
