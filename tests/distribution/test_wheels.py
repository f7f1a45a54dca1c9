"""Wheels and source distributions: one version, full metadata, the same bytes each time."""

import os
import re
import subprocess
import sys
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from distribution import wheels
from distribution.project import PACKAGES, version
from support.processes import BIN, ROOT, found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with wheels and source distributions of all packages."""
    folder = tmp_path_factory.mktemp("dist")
    wheels.build(folder)
    return folder


def wheel_of(folder: Path, package: str) -> Path:
    return folder / f"pombo_{package}-{version()}-py3-none-any.whl"


def sdist_of(folder: Path, package: str) -> Path:
    return folder / f"pombo_{package}-{version()}.tar.gz"


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return BytesParser().parsebytes(archive.read(name))


def test_there_is_one_wheel_and_one_source_distribution_of_each_package(built: Path) -> None:
    expected = {of(built, package) for package in PACKAGES for of in (wheel_of, sdist_of)}
    assert {*built.iterdir()} == expected


@pytest.mark.parametrize("program", ["pombo-agent", "pombo-exporter"])
def test_programs_tell_the_version_of_the_one_file_that_has_it(program: str) -> None:
    done = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{program}, version {version()}\n"


def test_no_other_file_of_a_package_has_the_version() -> None:
    own = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assigned = re.compile(r"^__version__ = ['\"]", re.MULTILINE)
    assert [path for path in own if assigned.search(path.read_text())] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_metadata_are_complete(built: Path, package: str) -> None:
    found = metadata(wheel_of(built, package))
    assert found["Version"] == version()
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Author"] == "The Pombo authors"
    assert found["Description-Content-Type"] == "text/markdown"
    assert found["Summary"]
    assert found["Keywords"]
    minors = range(11 if package == "exporter" else 10, 14)
    assert found["Requires-Python"] == f">=3.{minors[0]}"
    classifiers = found.get_all("Classifier", [])
    for minor in minors:
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_has_the_license_of_the_repository(built: Path, package: str) -> None:
    with ZipFile(wheel_of(built, package)) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("package", ["agent", "exporter"])
def test_packages_of_one_version_need_each_other(built: Path, package: str) -> None:
    required = metadata(wheel_of(built, package)).get_all("Requires-Dist", [])
    assert {f"pombo-{name}=={version()}" for name in ("cli", "wire")} <= {*required}


def test_an_index_would_take_all_of_them(built: Path) -> None:
    command: list[Path | str] = [BIN / "twine", "check", "--strict", *built.iterdir()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_building_again_makes_the_same_bytes(built: Path, tmp_path: Path) -> None:
    wheels.build(tmp_path)
    for package in PACKAGES:
        for of in (wheel_of, sdist_of):
            assert of(tmp_path, package).read_bytes() == of(built, package).read_bytes()


@pytest.mark.parametrize("package", PACKAGES)
def test_source_distribution_makes_the_same_wheel(
    built: Path, package: str, tmp_path: Path
) -> None:
    unpack: list[str | Path] = [
        "tar",
        "--extract",
        "--file",
        sdist_of(built, package),
        "--directory",
        tmp_path,
    ]
    subprocess.run(unpack, check=True)
    [source] = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "--target=wheel", "--directory=."]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    with (
        ZipFile(wheel_of(source, package)) as wheel,
        ZipFile(wheel_of(built, package)) as expected,
    ):
        assert {name: wheel.read(name) for name in wheel.namelist()} == {
            name: expected.read(name) for name in expected.namelist()
        }


def test_make_run_installs_nothing_for_developers() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    command = [found("make"), "--dry-run", "--always-make", "run"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    locks = re.findall(r"locks/(\w+)\.txt", done.stdout)
    assert {*locks} == {"build", "agent", "exporter"}
