"""What goes into the Debian packages, without building them."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import click
import pytest
from distribution import deb
from distribution.debian import manual, modules, settings
from pombo_agent.options import command as agent_command
from pombo_exporter.options import command as exporter_command
from ruamel.yaml import YAML

HEADS = Path(deb.__file__).parent / "debian"

#: What a program must be given besides its settings.
GIVEN = {"pombo-agent": ["--server=127.0.0.1"], "pombo-exporter": []}


def rendered(package: deb.Package) -> str:
    head = (HEADS / f"{package.name}.yml").read_text()
    return settings.render(package.commands[package.name], head)


def parsed(package: deb.Package, *arguments: str) -> Any:
    """Return the options that a program makes of its arguments."""
    seen: list[Any] = []
    agent, exporter = agent_command(seen.append), exporter_command(seen.append)
    command = agent if package is deb.AGENT else exporter
    command.main([*GIVEN[package.name], *arguments], standalone_mode=False)
    return seen[0]


@pytest.fixture(params=deb.PACKAGES, ids=lambda package: package.name)
def package(request: pytest.FixtureRequest) -> deb.Package:
    found: deb.Package = request.param
    return found


def test_settings_name_every_flag_of_a_service_once(package: deb.Package) -> None:
    keys = re.findall(r"^#?([a-z][\w.-]*): ", rendered(package), re.MULTILINE)
    flags = [name for each in package.commands[package.name].params for name in each.opts[:1]]
    of_command = {"--help", "--version", "--config.file", "--once", "--format"}
    assert sorted(f"--{key}" for key in keys) == sorted({*flags} - of_command)


def test_settings_show_the_defaults(package: deb.Package, tmp_path: Path) -> None:
    shown = re.findall(r"^#([a-z][\w.-]*: (?![A-Z<\[]).+)$", rendered(package), re.MULTILINE)
    defaults = [line for line in shown if not line.startswith("server:")]
    assert len(defaults) > 10
    assert "BOOLEAN" not in rendered(package)
    file = tmp_path / "settings.yml"
    file.write_text("\n".join(defaults))
    assert parsed(package, f"--config.file={file}") == parsed(package)


def test_settings_that_are_in_force_are_those_of_the_package() -> None:
    load = YAML(typ="safe").load
    assert load(rendered(deb.AGENT)) == {"key-file": "/etc/pombo/agent.key"}
    assert load(rendered(deb.EXPORTER)) == {
        "seal.key-file": "/etc/pombo/keys",
        "state.file": "/var/lib/pombo-exporter/hosts",
    }


def test_manual_has_every_flag(package: deb.Package) -> None:
    page = manual.page(package.name, package.commands, "1.0", package.files)
    for command in package.commands.values():
        for option in command.get_params(click.Context(command)):
            for name in option.opts if isinstance(option, click.Option) else ():
                assert name.replace("-", "\\-") in page


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("1.0.dev1", "1.0a1"),
        ("1.0a1", "1.0b1"),
        ("1.0b1", "1.0rc1"),
        ("1.0rc2", "1.0"),
        ("1.0", "1.0.1"),
    ],
)
def test_dpkg_orders_versions_as_they_were_released(earlier: str, later: str) -> None:
    versions = deb.debian_version(earlier), "lt", deb.debian_version(later)
    assert subprocess.run(["dpkg", "--compare-versions", *versions], check=False).returncode == 0


def wheel(path: Path, files: dict[str, str]) -> Path:
    with ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def unpacked(folder: Path, *wheels: dict[str, str]) -> list[str]:
    """Return the files that wheels become, or raise."""
    paths = [wheel(folder / f"{number}.whl", files) for number, files in enumerate(wheels)]
    modules.unpack(paths, folder / "tree")
    found = (folder / "tree").rglob("*")
    return sorted(str(path.relative_to(folder / "tree")) for path in found if path.is_file())


def test_modules_of_several_pythons_lie_side_by_side(tmp_path: Path) -> None:
    shared = {"a/__init__.py": "", "a-1.dist-info/METADATA": "Name: a"}
    names = [f"a/_c.cpython-{minor}-x86_64-linux-gnu.so" for minor in ("311", "313")]
    wheels = [{**shared, name: name, "a-1.dist-info/RECORD": name} for name in names]
    assert unpacked(tmp_path, *wheels) == ["a-1.dist-info/METADATA", "a/__init__.py", *names]


def test_wheels_of_one_library_that_differ_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.py of 1\.whl differs from that of another wheel"):
        unpacked(tmp_path, {"a.py": "1"}, {"a.py": "2"})


@pytest.mark.parametrize("name", ["../a.py", "/a.py", "a-1.data/scripts/a"])
def test_file_that_is_no_module_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="which is no module"):
        unpacked(tmp_path, {name: ""})


@pytest.mark.parametrize(
    ("names", "needed"),
    [
        (["a-1-py3-none-any.whl"], "2.17"),
        (["a-1-cp311-cp311-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl"], "2.26"),
        (["a-1-cp39-abi3-manylinux_2_34_x86_64.whl", "b-1-py3-none-any.whl"], "2.34"),
    ],
)
def test_package_depends_on_the_glibc_that_its_wheels_need(
    names: Sequence[str], needed: str
) -> None:
    assert modules.glibc(map(Path, names)) == needed


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm", "rtupdate"])
def test_scripts_are_posix_shell(script: str) -> None:
    subprocess.run(["sh", "-n", HEADS / script], check=True)
