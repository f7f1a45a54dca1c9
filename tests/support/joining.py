"""Hosts that join: an agent in one file, and shells of users who paste what `enroll` prints."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import termios
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from support.pages import wait_until
from support.processes import BIN, ROOT, found
from support.terminals import Terminal

#: What runs the agent of this repository, with the libraries that it has here. That the real file,
#: with libraries in it, starts is tested in the folder distribution.
_MAIN = """\
import site, sys
sys.path[:0] = {folders!r}
site.addsitedir({packages!r})
from pombo_agent.__main__ import main
main()
"""

#: The libraries of the tests.
PACKAGES = (
    Path(sys.executable)
    .parents[1]
    .joinpath("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
)

#: What a small host has beside a shell and Python.
_PROGRAMS = (
    *("cat", "chmod", "cp", "dirname", "env", "grep", "id", "mkdir", "mktemp", "mv", "rm", "rmdir"),
    *("sed", "sha256sum", "stty", "tail", "tr", "uname", "unshare", "wc"),
)

#: Lets the programs of a host take the place of those of this machine, then runs the others as an
#: ordinary user.
_ENTER = """\
set -eu
home=$1 size=$2 programs=$3
shift 3
[ ! "$size" ] || mount -t tmpfs -o "size=$size" tmpfs "$home"
mount -t tmpfs tmpfs /usr/local/bin
mount -t tmpfs tmpfs /usr/sbin
mount --bind "$programs" /usr/bin
exec unshare --user --map-user=1000 --map-group=1000 env -i "HOME=$home" LANG=C.UTF-8 \\
    TERM=xterm PATH=/usr/local/bin:/usr/bin:/bin "$@"
"""


def agent_file(folder: Path, root: Path = ROOT, packages: Path = PACKAGES) -> Path:
    """Make an agent in one file for this machine, under the name that an exporter serves.

    It imports from the repository at ``root``, and its libraries from ``packages``.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"pombo-agent-linux-{platform.machine()}-glibc.pex"
    folders = [str(root / each) for each in ("wire", "cli", "agent")]
    with path.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w") as archive:
            text = _MAIN.format(folders=folders, packages=str(packages))
            archive.writestr("__main__.py", text)
    path.chmod(0o755)
    return path


def enrolled(name: str, *flags: str | Path) -> tuple[str, str]:
    """Return the command that `enroll` prints, and the key, which is empty where there is none."""
    arguments = [BIN / "pombo-exporter", "enroll", *flags, "--", name]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pasted(done.stdout)


def pasted(text: str) -> tuple[str, str]:
    """Return the command and the key in a text that `enroll` has printed."""
    lines = text.split("\n")
    command = "\n".join(lines[lines.index("(") : lines.index(")") + 1])
    return command, next((line for line in lines if line.startswith("phk1_")), "")


class NewHost:
    """The home of an ordinary user on a host that has few programs, and no systemd.

    It is in namespaces of its own, so no test needs privileges. It has this machine's network.
    """

    def __init__(
        self, folder: Path, *, shell: Sequence[str] = ("dash",), python: bool = True
    ) -> None:
        """Use an empty folder; ``shell`` is what commands are pasted into."""
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        #: The size of the disk, if it has one of its own.
        self.size = ""
        self.shell = shell
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.has(*_PROGRAMS, shell[0])
        shutil.copy(found("bash" if shell[0] == "bash" else "dash"), self.programs / "sh")
        if python:
            self.runs_python(Path(sys.base_prefix) / "bin/python3")
        self._terminals: list[Typing] = []

    def has(self, *programs: str) -> None:
        """Let the host have more programs."""
        for name in programs:
            shutil.copy(found(name), self.programs / name)

    def runs_python(self, interpreter: Path) -> None:
        """Let ``python3`` be this one."""
        path = self.programs / "python3"
        path.unlink(missing_ok=True)
        if interpreter.parent == Path("/usr/bin"):  # its library is found relative to it
            shutil.copy(interpreter, path)
        else:
            path.symlink_to(interpreter)

    def has_only_busybox(self) -> None:
        """Let all programs be those of BusyBox, but for Python."""
        for path in self.programs.iterdir():
            if path.name not in ("python3", "env", "unshare"):
                path.unlink()
        self.has("busybox")
        listed = subprocess.run(
            [found("busybox"), "--list"], check=True, capture_output=True, text=True
        )
        for name in listed.stdout.split():
            path = self.programs / name
            if not path.exists():
                path.symlink_to("busybox")

    def command(self, pasted: str) -> list[str]:
        """Return what runs a pasted command on this host."""
        unshare = [found("unshare"), "--user", "--map-root-user", "--mount", found("sh"), "-c"]
        enter = [*unshare, _ENTER, "enter", str(self.home), self.size, str(self.programs)]
        return [*enter, *self.shell, "-c", pasted]

    def run(self, pasted: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command, with a text as its standard input."""
        return subprocess.run(
            self.command(pasted),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd="/",
        )

    def types(self, pasted: str) -> "Typing":
        """Run a command on a terminal."""
        terminal = Typing(*self.command(pasted))
        self._terminals.append(terminal)
        return terminal

    @property
    def installer(self) -> Path:
        """Where the installer is once it has run."""
        return self.home / ".local/share/pombo-agent/install.sh"

    @property
    def files(self) -> list[str]:
        """All files and folders of the home."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))

    def text(self, path: str) -> str:
        """Return the text of a file in the home."""
        return (self.home / path).read_text(encoding="utf-8")

    def agent_pid(self) -> int:
        """Return the process id of the agent that runs in the background."""
        return int(self.text(".local/share/pombo-agent/pid"))

    def close(self) -> None:
        """End what still runs, and the agent."""
        for terminal in self._terminals:
            terminal.close()
        with suppress(OSError, ValueError):
            pid = self.agent_pid()
            os.kill(pid, signal.SIGTERM)
            gone = Path(f"/proc/{pid}")
            wait_until(gone.exists, lambda exists: not exists, "the agent to end")


class Typing(Terminal):
    """A terminal in which somebody pastes and types."""

    def shows_text(self, text: str) -> None:
        """Wait until a text is there."""
        wait_until(lambda: self.written, lambda written: text in written, repr(text))

    def ended(self) -> int:
        """Wait until the program ends, and return its exit code."""
        return self.process.wait(120)

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self._line)[3] & termios.ECHO)


def command_lines() -> str:
    """Return the arguments and variables of all processes."""
    texts = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                texts.append((process / name).read_bytes())
    return b"\0".join(texts).decode(errors="replace")
