"""One-file agents: what is in each, and that they run for anybody with Python 3.10 to 3.13."""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from distribution.onefile import file_name
from distribution.project import version
from distribution.targets import PYTHONS, TARGETS, Target
from packaging.tags import Tag, parse_tag
from packaging.utils import parse_wheel_filename
from support.foreign import Aarch64
from support.interpreters import interpreter
from support.pages import Page, wait_until
from support.processes import Launcher
from support.rooms import FILE, HOME, OTHER, PYTHON, SHARED, Room

pytestmark = pytest.mark.slow

#: The largest file.
MAX_BYTES = 6_000_000

#: The most resident memory of an agent.
MAX_RESIDENT_BYTES = 18 * 2**20

#: How ELF names a machine.
_ELF = {"x86_64": 62, "aarch64": 183}

HERE = next(each for each in TARGETS if (each.machine, each.libc) == ("x86_64", "glibc"))


@pytest.fixture(params=TARGETS, ids=lambda target: str(target.name))
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.param
    return found


def wheels_in(file: Path) -> set[str]:
    """Return the names of the wheels in a file."""
    with ZipFile(file) as archive:
        parts = [name.split("/") for name in archive.namelist()]
    return {path[1] for path in parts if path[0] == ".deps" and len(path) > 1 and path[1]}


def tags_of(wheel: str) -> frozenset[Tag]:
    return parse_wheel_filename(wheel)[3]


def test_there_is_a_file_for_each_platform_and_a_sum_of_each(agents: Path) -> None:
    names = sorted(file_name(each) for each in TARGETS)
    assert sorted(path.name for path in agents.iterdir()) == ["SHA256SUMS", *names]
    lines = (agents / "SHA256SUMS").read_text().splitlines()
    sums = [f"{hashlib.sha256((agents / name).read_bytes()).hexdigest()}  {name}" for name in names]
    assert lines == sums


def test_file_takes_at_most_6_mb(agents: Path, target: Target) -> None:
    assert 1_000_000 < (agents / file_name(target)).stat().st_size <= MAX_BYTES


def test_each_python_finds_a_wheel_of_each_package(agents: Path, target: Target) -> None:
    wheels = wheels_in(agents / file_name(target))
    packages = {parse_wheel_filename(wheel)[0] for wheel in wheels}
    needed = {"click", "jeepney", "msgspec", "psutil", "pynacl", "pyyaml"}
    assert needed | {"pombo-agent", "pombo-cli", "pombo-wire"} <= packages
    for minor in PYTHONS:
        tags = target.complete_platform(minor)["compatible_tags"]
        known = frozenset().union(*map(parse_tag, tags))
        found = {parse_wheel_filename(wheel)[0] for wheel in wheels if tags_of(wheel) & known}
        assert found == packages


def test_no_wheel_is_of_another_platform(agents: Path, target: Target) -> None:
    for wheel in wheels_in(agents / file_name(target)):
        platforms = {tag.platform for tag in tags_of(wheel)}
        assert platforms & {"any", *target.platforms}


def test_compiled_modules_are_for_the_machine_and_its_c_library(
    agents: Path, target: Target
) -> None:
    with ZipFile(agents / file_name(target)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".so")]
        contents = {name: archive.read(name) for name in names}
    assert {"msgspec", "psutil", "nacl"} <= {name.split("/")[2] for name in names}
    for name, content in contents.items():
        assert content[:4] == b"\x7fELF", name
        assert int.from_bytes(content[18:20], "little") == _ELF[target.machine], name
        needs_musl = b"libc.musl-" in content
        needs_glibc = b"GLIBC_2." in content
        assert (needs_musl, needs_glibc) == (target.libc == "musl", target.libc == "glibc"), name


def room(agents: Path, minor: int = PYTHONS[-1], **others: Any) -> Room:
    """Return a room with the file for this machine."""
    return Room(interpreter(minor).parents[1], agents / file_name(HERE), **others)


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def tells_its_version(command: Sequence[str]) -> bool:
    done = run(command)
    assert (done.stdout, done.stderr) == (f"pombo-agent, version {version()}\n", "")
    return done.returncode == 0


@pytest.mark.parametrize("minor", PYTHONS)
def test_file_sends_reports_with_each_python(agents: Path, start: Launcher, minor: int) -> None:
    exporter = start.exporter()
    flags = [f"--server={exporter.target}", "--name=pi", "--interval=500ms"]
    agent = start.program(*room(agents, minor).command(str(FILE), *flags, HOME=str(HOME)))

    def reported(page: Page) -> bool:
        return page.value("host_cpu_average_usage_ratio", instance="pi") is not None

    page = wait_until(exporter.page, reported, f"the second report; {agent.log}", within=60)
    [labels] = map(dict, page.rows("pombo_agent_build_info", instance="pi"))
    assert labels["version"] == version()
    assert labels["pythonversion"].startswith(f"3.{minor}.")
    assert agent.resident_bytes <= MAX_RESIDENT_BYTES


def test_user_without_a_home_can_start_it(agents: Path) -> None:
    # A read-only root is no problem either.
    assert tells_its_version(room(agents, read_only=True).command(str(FILE), "--version"))
    assert tells_its_version(room(agents).command(str(FILE), "--version"))
    absent = room(agents).command(str(FILE), "--version", HOME="/nonexistent")
    assert tells_its_version(absent)


def test_folders_that_are_mounted_noexec_are_not_used(agents: Path) -> None:
    some = room(agents, noexec=[folder for folder in SHARED if folder != "/dev/shm"])
    assert tells_its_version(some.command(str(FILE), "--version"))


def test_user_without_any_folder_is_told_what_to_give(agents: Path) -> None:
    none = room(agents, noexec=SHARED)
    done = run(none.command(str(FILE), "--version"))
    assert done.returncode == 1
    assert "no folder to unpack into" in done.stderr
    assert "/tmp/pombo-agent-65534: it is mounted noexec" in done.stderr
    assert "Set PEX_ROOT" in done.stderr
    given = str(HOME / "unpacked")
    assert tells_its_version(none.command(str(FILE), "--version", PEX_ROOT=given))


@pytest.mark.parametrize("other", [each for each in TARGETS if each != HERE])
def test_file_of_another_platform_says_so(agents: Path, other: Target) -> None:
    here = Room(interpreter(PYTHONS[-1]).parents[1], agents / file_name(other))
    done = run(here.command(str(FILE), "--version"))
    assert done.returncode == 1
    assert f"this file is for {other.machine} with {other.libc}, and" in done.stderr
    assert f"is for {HERE.machine} with {HERE.libc}" in done.stderr


#: The minor version of a Python that is too old.
OLD = 9


def test_older_python_is_told_which_ones_will_do(agents: Path) -> None:
    python = str(PYTHON / "bin" / interpreter(OLD).name)
    path = str(PYTHON / "bin")  # without the Python of the system
    done = run(room(agents, OLD).command(python, str(FILE), "--version", PATH=path))
    assert done.returncode == 1
    assert f"this file needs Python 3.10 to 3.13; {python} is 3.{OLD}." in done.stderr


def test_older_python_finds_a_newer_one_on_path(agents: Path) -> None:
    python = str(PYTHON / "bin" / interpreter(OLD).name)
    both = room(agents, OLD, other=interpreter(PYTHONS[0]).parents[1])
    path = f"{OTHER / 'bin'}:/usr/bin"  # with the programs of a system
    assert tells_its_version(both.command(python, str(FILE), "--version", PATH=path))


def test_file_for_aarch64_sends_reports(agents: Path, start: Launcher, tmp_path: Path) -> None:
    exporter = start.exporter()
    debian = Aarch64(tmp_path)
    target = next(each for each in TARGETS if (each.machine, each.libc) == ("aarch64", "glibc"))
    shutil.copy(agents / file_name(target), debian.root / "tmp/agent")
    flags = [f"--server={exporter.target}", "--name=pi"]
    agent = start.program(*debian.command("/tmp/agent", *flags))

    def reported(page: Page) -> bool:
        return page.value("pombo_host_up", instance="pi") == 1

    # QEMU takes ten times as long to unpack the file as a machine of the kind.
    page = wait_until(exporter.page, reported, f"a report; {agent.log}", within=300)
    [labels] = map(dict, page.rows("pombo_agent_build_info", instance="pi"))
    assert labels["arch"] == "aarch64"
