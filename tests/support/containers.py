"""Images and containers without an engine: a Dockerfile's steps and a service's settings replayed.

A root is a directory that is given the host's programs read-only, and becomes ``/`` in a mount
namespace of its own. Services share a network namespace, so that they have the ports they want.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from support.processes import ROOT, Process, found

#: Where the kernel's and the distribution's files are: what stands for the base image.
_BASE = ("bin", "dev", "etc/ssl", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "usr")

_IS_ROOT = os.geteuid() == 0

#: What is copied of the host's settings, so that a service can have files of its own beside it.
_SETTINGS = ("group", "hostname", "hosts", "ld.so.cache", "nsswitch.conf", "passwd", "pip.conf")

#: What may mount: root, or anybody in a user namespace.
_UNSHARED = [found("unshare"), "--mount", *([] if _IS_ROOT else ["--user", "--map-root-user"])]


#: chroot and ip are where not every user looks.
_SYSTEM_PATH = "PATH=$PATH:/usr/sbin:/sbin"


class Step(NamedTuple):
    """An instruction of a Dockerfile, and the rest of its line."""

    name: str
    rest: str


def stages(dockerfile: Path) -> list[list[Step]]:
    """Return the steps of each stage, which begins with its ``FROM``."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[list[Step]] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, rest = line.split(maxsplit=1)
            if name == "FROM":
                found.append([])
            found[-1].append(Step(name, rest))
    return found


def compose() -> dict[str, Any]:
    """Return the Compose file's content."""
    content: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return content


def context() -> Iterator[Path]:
    """Yield the files that ``.dockerignore`` leaves in a build's context, from its root."""
    rules = []
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = re.escape(line.removeprefix("!"))
            pattern = pattern.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            rules.append((re.compile(f"{pattern}(?:/.*)?"), line.startswith("!")))
    for path in sorted(ROOT.rglob("*")):
        name = str(path.relative_to(ROOT))
        if name.split("/", maxsplit=1)[0] in {".git", ".venv"}:
            continue  # ignored by the first rule as well, but long to walk through
        kept = True
        for rule, keeps in rules:
            if rule.fullmatch(name):
                kept = keeps
        if kept and path.is_file():
            yield path


class Mount(NamedTuple):
    """A file or a directory of the host, and where it is in a root."""

    source: Path
    target: str
    read_only: bool


class Root:
    """A directory that is ``/`` for what runs in it."""

    def __init__(self, directory: Path, tools: Path) -> None:
        """Take a new directory, and the one that is to be ``/tools``."""
        self.directory = directory
        directory.mkdir()
        directory.chmod(0o755)
        (directory / "etc").mkdir()
        for name in (*_SETTINGS, "resolv.conf"):
            if (setting := Path("/etc") / name).is_file():
                shutil.copyfile(setting, directory / "etc" / name)
        (directory / "tmp").mkdir()
        (directory / "tmp").chmod(0o1777)
        mounts = [Mount(Path("/") / name, name, read_only=True) for name in _BASE]
        mounts.append(Mount(tools, "tools", read_only=True))
        if sys.base_prefix != "/usr":
            mounts.append(Mount(Path(sys.base_prefix), "usr/local", read_only=True))
        self._mounts = [mount for mount in mounts if mount.source.exists()]

    def command(
        self,
        command: Sequence[str],
        *,
        user: str = "0:0",
        workdir: str = "/",
        read_only: bool = False,
        mounts: Sequence[Mount] = (),
    ) -> list[str]:
        """Return the command that runs another in this root, as a user.

        Whoever is not root runs everything as himself, who is unprivileged as well.
        """
        lines = [
            "set -e",
            f"cd {shlex.quote(str(self.directory))}",
            "mount --rbind . .",
            'cd "$PWD"',
        ]
        for mount in (*self._mounts, *mounts):
            lines += self._mounted(mount)
        if read_only:
            lines.append("mount -o remount,bind,ro .")
        drop = ["setpriv", "--no-new-privs"]
        if user != "0:0":
            drop += ["--inh-caps=-all", "--bounding-set=-all"]
            uid, gid = user.split(":")
            if _IS_ROOT:
                drop += [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        # The loader of the Python image looks there, too.
        inner = f"cd {shlex.quote(workdir)} && export LD_LIBRARY_PATH=/usr/local/lib && exec "
        inner += shlex.join([*drop, *command])
        lines.append(f"exec chroot . /bin/sh -c {shlex.quote(inner)}")
        return [*_UNSHARED, "/bin/sh", "-c", "\n".join(lines)]

    def run(self, command: str, env: Mapping[str, str], *, workdir: str) -> None:
        """Run a line of shell to its end; the test fails with what it says if it fails.

        What the machine has beside the base image can be read, too: there its package index
        may be.
        """
        rest = [
            Mount(path, path.name, read_only=True)
            for path in sorted(Path("/").iterdir())
            if path.name not in {*_BASE, "build", "etc", "pombo", "sys", "tmp"} and path.is_dir()
        ]
        rest.append(Mount(Path(sys.prefix), sys.prefix, read_only=True))
        done = subprocess.run(
            self.command(["/bin/sh", "-c", command], workdir=workdir, mounts=rest),
            env=dict(env),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def _mounted(self, mount: Mount) -> Iterator[str]:
        target = self.directory / mount.target.lstrip("/")
        if mount.source.is_symlink():
            if not target.is_symlink():
                target.symlink_to(mount.source.readlink())
            return
        if not target.exists():
            if mount.source.is_dir():
                target.mkdir(parents=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
        source, place = shlex.quote(str(mount.source)), shlex.quote(f"./{mount.target.lstrip('/')}")
        yield f"mount --rbind {source} {place}"
        if mount.read_only:
            yield f"mount -o remount,bind,ro {place}"


def tools(directory: Path) -> Path:
    """Return a new directory with what the Python image has and this machine may not have."""
    directory.mkdir()
    directory.chmod(0o755)
    pip = directory / "pip"
    pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
    pip.chmod(0o755)
    if sys.base_prefix == "/usr":
        (directory / "python").symlink_to("/usr/bin/python3")
    return directory


class Image(NamedTuple):
    """What a Dockerfile makes: a root, and how it is run."""

    root: Root
    entrypoint: list[str]
    user: str
    healthcheck: list[str]


def built(dockerfile: Path, directory: Path) -> Image:
    """Replay a Dockerfile's steps and return the image of its last stage."""
    shims = tools(directory / "tools")
    roots: dict[str, Root] = {}
    settings: dict[str, str] = {}
    for number, steps in enumerate(stages(dockerfile)):
        name = steps[0].rest.partition(" AS ")[2] or "last"
        root = roots[name] = Root(directory / f"stage-{number}", shims)
        workdir, env, settings = (
            "/",
            {"PATH": "/tools:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            {},
        )
        for step, rest in steps[1:]:
            if step == "WORKDIR":
                workdir = rest
                (root.directory / rest.lstrip("/")).mkdir(parents=True)
            elif step == "ENV":
                env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            elif step == "COPY":
                _copy(root, roots, workdir, rest.split())
            elif step == "RUN":
                root.run(rest, env | _index(rest), workdir=workdir)
            else:
                settings[step] = rest
    entrypoint, healthcheck = settings["ENTRYPOINT"], settings.get("HEALTHCHECK", "CMD []")
    return Image(
        root,
        YAML(typ="safe").load(entrypoint),
        settings["USER"],
        YAML(typ="safe").load(healthcheck.removeprefix("CMD ")),
    )


def _index(command: str) -> dict[str, str]:
    """Return where this machine's pip finds packages, for the one step that may ask for some."""
    if "pip download" not in command:
        return {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    return {name: value for name, value in os.environ.items() if name == "HOME" or "PIP_" in name}


def _copy(root: Root, roots: Mapping[str, Root], workdir: str, words: list[str]) -> None:
    *sources, target = (word for word in words if not word.startswith("--from="))
    place = root.directory / os.path.join(workdir, target).lstrip("/")  # noqa: PTH118 - either may be absolute
    if words[0].startswith("--from="):
        [source] = sources
        origin = roots[words[0].removeprefix("--from=")].directory / source.lstrip("/")
        shutil.copytree(origin, place, symlinks=True)
        return
    for source in sources:
        kept = [path for path in context() if path.is_relative_to(ROOT / source)]
        assert kept, f"the build's context has no {source}"
        for path in kept:
            onto = place / path.relative_to(ROOT / source)
            if target.endswith("/"):
                onto = place / path.relative_to(ROOT)
            onto.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, onto)


class Network:
    """A network of its own, with a loopback interface that is up."""

    def __init__(self, log: Path) -> None:
        private = ["--net"] if _IS_ROOT else ["--net", "--user", "--map-root-user"]
        script = f"{_SYSTEM_PATH}; ip link set lo up && echo up && exec sleep infinity"
        self.holder = Process([found("unshare"), *private, "/bin/sh", "-c", script], log)

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return "up" in self.holder.log

    def joined(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs another in this network."""
        spaces = ["--net"] if _IS_ROOT else ["--net", "--user", "--preserve-credentials"]
        return [found("nsenter"), f"--target={self.holder.pid}", *spaces, *command]
