"""Debian packages of the agent and the exporter: trees of files, packed by dpkg-deb.

``/usr/lib/PACKAGE`` has the modules of a program and of its libraries, from the wheels that the
locks pin. One package serves each of several Pythons, since the file of a compiled module has the
version of its Python in its name: ``_core.cpython-311-x86_64-linux-gnu.so`` lies beside
``_core.cpython-313-x86_64-linux-gnu.so``, and each Python loads its own.
"""

import gzip
import re
import shutil
import tempfile
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import md5
from pathlib import Path
from typing import Final

import click
from distribution import pins
from distribution.debian import licenses, manual, modules, settings
from distribution.project import ROOT, run, source_date, version
from distribution.targets import Target
from pombo_agent.options import command as agent_command
from pombo_exporter.options import command as exporter_command

_FILES: Final = Path(__file__).parent / "debian"
_MAINTAINER: Final = "The Pombo authors <pombo@packages.invalid>"

#: Debian's names of machines.
ARCHITECTURES: Final = {"amd64": "x86_64"}

#: What dpkg runs.
_SCRIPTS: Final = ("postinst", "prerm", "postrm")


@dataclass(frozen=True)
class Package:
    """A program as a package."""

    name: str
    commands: dict[str, click.Command]  # as they are called; the program itself is the first
    pythons: tuple[int, ...]  # minor versions of Python 3, without a gap
    libraries: tuple[str, ...]  # Debian packages besides Python and glibc
    description: str  # in one line, then in indented lines
    setup: str  # what postinst does when a version is installed
    data: str  # what purge removes besides the files of the package
    files: str  # for the manual

    @property
    def part(self) -> str:
        """The folder of the program in the repository, and the name of its settings."""
        return self.name.removeprefix("pombo-")


AGENT: Final = Package(
    name="pombo-agent",
    commands={"pombo-agent": agent_command(lambda _: None)},
    pythons=(10, 11, 12, 13),
    libraries=(),
    description="""\
sends metrics of this host to a Pombo exporter
 Pombo lets Prometheus read hosts that it cannot reach. The agent sends what
 it measures to an exporter, over UDP or HTTP, every five seconds. It listens
 on no port and accepts no commands.
""",
    setup="""\
grep -qs "^server:" /etc/pombo/agent.yml ||
    echo "pombo-agent: write server: HOST into /etc/pombo/agent.yml," \\
        "then run systemctl restart pombo-agent"
""",
    data="/etc/pombo/agent.key",
    files="""\
/etc/pombo/agent.yml\tSettings of the service: flags by their names.
/etc/pombo/agent.key\tKey of this host, which the group pombo-agent may read.
""",
)

EXPORTER: Final = Package(
    name="pombo-exporter",
    commands={
        "pombo-exporter": (_exporter := exporter_command(lambda _: None)),
        **{f"pombo-exporter {name}": each for name, each in sorted(_exporter.commands.items())},
    },
    pythons=(11, 12, 13),
    libraries=("libgcc-s1", "libstdc++6"),
    description="""\
serves to Prometheus what Pombo agents report
 Pombo lets Prometheus read hosts that it cannot reach. The exporter receives
 the reports of agents over UDP or HTTP, keeps the last one of each host in
 memory, and serves all of them to Prometheus and on a status page.
""",
    setup="""\
if [ -z "$2" ] && [ ! -e /etc/pombo/keys ]; then
    pombo-exporter keygen /etc/pombo/keys
    chgrp pombo-exporter /etc/pombo/keys
    chmod g+r /etc/pombo/keys
fi
""",
    data="/etc/pombo/keys /var/lib/pombo-exporter",
    files="""\
/etc/pombo/exporter.yml\tSettings of the service: flags by their names.
/etc/pombo/keys\tKey file, which the group pombo-exporter may read.
/var/lib/pombo-exporter/hosts\tHosts that exist, and who holds their names.
/usr/share/pombo-exporter/agents\tOne-file agents that the exporter offers to new hosts.
""",
)

PACKAGES: Final = (AGENT, EXPORTER)


def make(dist: Path) -> None:
    """Build the packages into ``dist``, from the wheels and the one-file agents there."""
    for package in PACKAGES:
        for architecture in ARCHITECTURES:
            build(package, architecture, dist)


def debian_version(text: str) -> str:
    """Return a version as dpkg orders it: 1.0rc1 comes before 1.0."""
    return re.sub(r"(a|b|rc)(\d)", r"~\1\2", text).replace(".dev", "~~dev")


def build(package: Package, architecture: str, dist: Path) -> Path:
    """Build a package from what is in ``dist``, into ``dist``, and return its file.

    Raises:
        SystemExit: when pip or dpkg-deb fails.
        ValueError: when the wheels do not fit together.
    """
    built = dist / f"{package.name}_{debian_version(version())}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as folder:
        wheels, tree = Path(folder, "wheels"), Path(folder, "tree")
        target, oldest = Target(ARCHITECTURES[architecture], "glibc"), package.pythons[0]
        for minor in package.pythons:  # in one version, since they share files
            pins.download(package.part, target, minor, wheels, pinned_for=oldest)
        for part in ("wire", "cli", package.part):
            [wheel] = dist.glob(f"pombo_{part}-{version()}-*.whl")
            shutil.copy(wheel, wheels)
        _fill(package, tree, sorted(wheels.iterdir()))
        if package is EXPORTER and (dist / "agents").is_dir():
            shutil.copytree(dist / "agents", tree / "usr/share/pombo-exporter/agents")
        _describe(package, architecture, tree, modules.glibc(wheels.iterdir()))
        for path in (tree, *tree.rglob("*")):
            path.chmod(0o755 if path.is_dir() or _is_program(path) else 0o644)
        run(["dpkg-deb", "--root-owner-group", "-Zxz", "-z3", "--build", tree, built])
    return built


def _fill(package: Package, tree: Path, wheels: list[Path]) -> None:
    """Write what is installed."""
    name, part = package.name, package.part
    modules.unpack(wheels, tree / f"usr/lib/{name}")
    modules.strip(tree / f"usr/lib/{name}")
    _write(tree / f"usr/bin/{name}", _filled("launcher", package))
    unit = (ROOT / part / f"{name}.service").read_text(encoding="utf-8")
    _write(tree / f"usr/lib/systemd/system/{name}.service", unit)
    _write(tree / f"usr/share/python3/runtime.d/{name}.rtupdate", _filled("rtupdate", package))
    head = (_FILES / f"{name}.yml").read_text(encoding="utf-8")
    _write(tree / f"etc/pombo/{part}.yml", settings.render(package.commands[name], head))
    overrides = _FILES / f"{name}.overrides"
    if overrides.exists():
        _write(tree / f"usr/share/lintian/overrides/{name}", overrides.read_text(encoding="utf-8"))
    page = manual.page(name, package.commands, version(), package.files)
    _compress(tree / f"usr/share/man/man1/{name}.1.gz", page)
    documents = tree / f"usr/share/doc/{name}"
    _write(documents / "copyright", licenses.render(tree / f"usr/lib/{name}", f"/usr/lib/{name}"))
    _compress(documents / "changelog.gz", _changelog(package))
    _compress(documents / "NEWS.md.gz", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    _compress(documents / "README.Debian.gz", (ROOT / "docs/debian.md").read_text(encoding="utf-8"))


def _describe(package: Package, architecture: str, tree: Path, glibc: str) -> None:
    """Write what dpkg reads."""
    installed = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    settings_file = f"etc/pombo/{package.part}.yml"
    lines = [
        f"{md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(tree)}\n"
        for path in installed
        if path != tree / settings_file
    ]
    _write(tree / "DEBIAN/md5sums", "".join(lines))
    _write(tree / "DEBIAN/conffiles", f"/{settings_file}\n")
    python = f"python3 (>= 3.{package.pythons[0]}~), python3 (<< 3.{package.pythons[-1] + 1}~)"
    fields = {
        "version": debian_version(version()),
        "architecture": architecture,
        "maintainer": _MAINTAINER,
        "kibibytes": str(sum(-(-path.stat().st_size // 1024) for path in installed)),
        "depends": ", ".join(["adduser", f"libc6 (>= {glibc})", *package.libraries, python]),
        "description": package.description.rstrip("\n"),
    }
    _write(tree / "DEBIAN/control", _filled("control", package, **fields))
    setup = "".join(f"    {line}\n" if line else "\n" for line in package.setup.splitlines())
    for script in _SCRIPTS:
        text = _filled(script, package, setup=setup.rstrip("\n"), data=package.data)
        _write(tree / "DEBIAN" / script, text)


def _filled(template: str, package: Package, **fields: str) -> str:
    """Return a file of ``debian/`` with its ``@fields@`` filled in."""
    fields |= {"package": package.name, "module": package.name.replace("-", "_")}
    text = (_FILES / template).read_text(encoding="utf-8")
    return re.sub(r"@(\w+)@", lambda found: fields[found[1]], text)


def _is_program(path: Path) -> bool:
    return path.parent.name == "bin" or path.suffix == ".rtupdate" or path.name in _SCRIPTS


def _changelog(package: Package) -> str:
    """Return the changelog in the form of Debian."""
    return (
        f"{package.name} ({debian_version(version())}) stable; urgency=medium\n\n"
        f"  * See /usr/share/doc/{package.name}/NEWS.md.gz.\n\n"
        f" -- {_MAINTAINER}  {formatdate(source_date())}\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _compress(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
