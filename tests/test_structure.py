"""The architecture, as the sources' imports show it, and what no file of the project may hold."""

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Each package: its folder, and what it may import beside the standard library and itself.
PACKAGES = {
    "pombo_wire": ("wire", {"msgspec"}),
    "pombo_cli": ("cli", {"click"}),
    "pombo_agent": ("agent", {"psutil", "click", "msgspec", "pombo_wire", "pombo_cli"}),
    "pombo_exporter": (
        "exporter",
        {
            "aiohttp",
            "click",
            "isal",
            "msgspec",
            "numpy",
            "orjson",
            "prometheus_client",
            "rich",
            "pombo_wire",
            "pombo_cli",
        },
    ),
}

#: Modules that neither do I/O nor look at a clock: both come in as arguments.
PURE = (
    "pombo_wire",
    "pombo_wire.codec",
    "pombo_wire.reasons",
    "pombo_wire.schema",
    "pombo_wire.splitting",
    "pombo_cli.human",
    "pombo_agent.schedule",
    "pombo_exporter.hosts.blocks",
    "pombo_exporter.metrics.family",
    "pombo_exporter.metrics.columns",
    "pombo_exporter.views.describe",
    "pombo_exporter.metrics.exposition",
    "pombo_exporter.metrics.host_families",
    "pombo_exporter.live.history",
    "pombo_exporter.hosts.host",
    "pombo_exporter.hosts.sequence",
    "pombo_exporter.metrics.derive",
    "pombo_exporter.ingest.rejections",
    "pombo_exporter.hosts.roster",
    "pombo_exporter.live.version",
    "pombo_exporter.top.table",
    "pombo_exporter.views.schema",
    "pombo_exporter.metrics.node_families",
)

IMPURE = {
    *("aiohttp", "asyncio", "datetime", "http", "io", "logging", "multiprocessing", "os"),
    *("pathlib", "random", "secrets", "select", "selectors", "shutil", "signal", "socket"),
    *("ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib"),
}


def modules() -> dict[str, Path]:
    """Return every module of the packages, by its dotted name."""
    found = {}
    for package, (folder, _) in PACKAGES.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(name: str) -> Iterator[str]:
    """Yield what a module imports, as dotted names: modules, and names out of modules."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{name} imports relatively: name the package"
            assert node.level == 0, f"{name} imports relatively: name the package"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def tops(name: str) -> set[str]:
    return {imported.partition(".")[0] for imported in imports(name)}


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_what_its_package_may(name: str) -> None:
    package = name.partition(".")[0]
    _, allowed = PACKAGES[package]
    assert tops(name) - sys.stdlib_module_names <= allowed | {package}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_declares_what_it_imports_and_nothing_else(package: str) -> None:
    folder, _ = PACKAGES[package]
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {
        re.split(r"[<>=~ ;]", requirement)[0].replace("-", "_")
        for requirement in project["project"]["dependencies"]
    }
    own = [name for name in MODULES if name.partition(".")[0] == package]
    imported = {top for name in own for top in tops(name)} - sys.stdlib_module_names - {package}
    assert declared == imported


@pytest.mark.parametrize("name", PURE)
def test_pure_module_touches_neither_sockets_nor_files_nor_clocks(name: str) -> None:
    assert name in MODULES, f"{name} is gone: take it off the list, or put its new name there"
    assert tops(name) & IMPURE == set()


@pytest.mark.parametrize("name", [name for name in PURE if name.count(".")])
def test_pure_module_imports_only_pure_modules_of_its_package(name: str) -> None:
    package = name.partition(".")[0]
    own = {imported for imported in imports(name) if imported.startswith(package)}
    assert own - {package} <= set(PURE)


def test_imports_have_no_cycle() -> None:
    graph = {name: {found for found in imports(name) if found in MODULES} for name in MODULES}
    # A package's file gathers its modules, and these may ask it for its version alone.
    for name, found in graph.items():
        found -= {package for package in PACKAGES if name.startswith(f"{package}.")}
    tuple(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", MODULES)
def test_first_line_of_every_module_says_its_job(name: str) -> None:
    docstring = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the project's own files: no caches, no installed packages, no Git."""
    for path in sorted(folder.iterdir()):
        own = path.name == ".ci" or not path.name.startswith((".", "__pycache__"))
        if own and path.is_dir():
            yield from files(path)
        elif own:
            yield path


def test_pinned_packages_have_hashes_and_name_no_place() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    pins = [line for line in text.splitlines() if not line.startswith(" ")]
    assert len(pins) > 20
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not any(line.strip().startswith("-") for line in pins)


def test_no_file_knows_where_the_repository_lies() -> None:
    places = {str(ROOT), str(Path.home())} - {"/"}
    for path in files():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not any(f"{place}/" in text for place in places), path
