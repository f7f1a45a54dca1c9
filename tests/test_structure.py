"""The architecture, checked by the imports of the sources, and rules for all files."""

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Each package: its folder, and what it may import besides the standard library and itself.
PACKAGES = {
    "pombo_wire": ("wire", {"msgspec", "orjson"}),
    "pombo_cli": ("cli", {"click", "yaml"}),
    "pombo_agent": (
        "agent",
        {"psutil", "click", "jeepney", "msgspec", "nacl", "pombo_wire", "pombo_cli"},
    ),
    "pombo_exporter": (
        "exporter",
        {
            "aiohttp",
            "bcrypt",
            "click",
            "cryptography",
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

#: The lock files, one for each purpose.
LOCKS = ("agent", "build", "development", "exporter")

#: Distributions whose modules have other names.
IMPORTED_AS = {"pynacl": "nacl", "pyyaml": "yaml"}

#: The folders and modules of each package, from what imports to what is imported: each imports
#: only what stands after it. A list within the list stands for parts that do not import each other.
ORDER: dict[str, list[str | list[str]]] = {
    "pombo_wire": [
        "packing",
        "reports",
        "splitting",
        "extra",
        "forms",
        "section",
        ["codec", "columns", "families"],
        "keys",
        "sealing",
        "reading",
        "layout",
        "schema",
        "names",
        ["limits", "reasons", "framing", "rendezvous"],
    ],
    "pombo_cli": [
        "config",
        "flags",
        ["logs", "human", "addresses", "variables", "secret_file", "yaml_file"],
    ],
    "pombo_agent": [
        "__main__",
        ["start", "check"],
        ["loop", "options"],
        ["announcement", "server_flags"],
        ["report", "text_report", "transport", "schedule", "settings", "suspension", "reexecute"],
        ["own_process", "servers"],
        "discovery",
        "collectors",
        "collecting",
        "wakeup",
    ],
    "pombo_exporter": [
        "__main__",
        "options",
        ["top", "decode", "enroll"],
        "web",
        ["live", "notify"],
        "views",
        "metrics",
        "stats",
        "ingest",
        ["seal", "state", "installer"],
        "hosts",
        "runtime",
    ],
}

#: Folders and modules without I/O, clocks and frameworks: all of these come in as arguments.
PURE = (
    "pombo_wire",
    "pombo_cli.human",
    "pombo_agent.schedule",
    "pombo_exporter.hosts",
    "pombo_exporter.metrics",
    "pombo_exporter.views",
    *(f"pombo_exporter.notify.{name}" for name in ("alerts", "tracker", "events", "disks")),
    *(f"pombo_exporter.notify.{name}" for name in ("words", "grouping", "queue")),
    *(f"pombo_exporter.top.{name}" for name in ("table", "bars")),
    *(f"pombo_exporter.top.{name}" for name in ("fleet_view", "detail_view")),
    "pombo_exporter.decode.contents",
    "pombo_exporter.decode.payloads",
)

#: The exporter's own metrics are read from this process, with prometheus_client.
READS_ITS_PROCESS = "pombo_exporter.metrics.exporter"

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


def top_level_imports(name: str) -> set[str]:
    return {imported.partition(".")[0] for imported in imports(name)}


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_what_its_package_may(name: str) -> None:
    package = name.partition(".")[0]
    _, allowed = PACKAGES[package]
    assert top_level_imports(name) - sys.stdlib_module_names <= allowed | {package}


#: Programs that run from a clone after `make install`, besides the packages.
FROM_CLONE = ("demo",)


@pytest.mark.parametrize("folder", FROM_CLONE)
def test_what_runs_from_a_clone_imports_only_what_running_needs(folder: str) -> None:
    left, seen = [*(ROOT / folder).rglob("*.py")], set[Path]()
    installed = {*PACKAGES, *PACKAGES["pombo_exporter"][1], *sys.stdlib_module_names}
    while left:
        path = left.pop()
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [str(node.module), *(f"{node.module}.{each.name}" for each in node.names)]
            else:
                continue
            own = [(ROOT / name.replace(".", "/")).with_suffix(".py") for name in names]
            left += [each for each in own if each.is_file() and each not in seen]
            is_own = any(each.is_file() for each in own)
            assert is_own or {name.partition(".")[0] for name in names} <= installed, (path, names)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_declares_exactly_what_it_imports(package: str) -> None:
    folder, _ = PACKAGES[package]
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
    optional = project["project"].get("optional-dependencies", {}).values()
    declared = {
        re.split(r"[<>=~ ;]", requirement)[0].replace("-", "_")
        for requirement in chain(project["project"]["dependencies"], *optional)
    }
    declared = {IMPORTED_AS.get(name, name) for name in declared}
    own = [name for name in MODULES if name.partition(".")[0] == package]
    imported = (
        {top for name in own for top in top_level_imports(name)}
        - sys.stdlib_module_names
        - {package}
    )
    assert declared == imported


def is_part_of(name: str, parts: Iterable[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


@pytest.mark.parametrize("part", PURE)
def test_every_pure_part_exists(part: str) -> None:
    assert part in MODULES


@pytest.mark.parametrize("name", [name for name in MODULES if is_part_of(name, PURE)])
def test_pure_module_imports_neither_sockets_nor_files_nor_clocks(name: str) -> None:
    if name != READS_ITS_PROCESS:
        assert top_level_imports(name) & IMPURE == set()


def part_of(name: str) -> str:
    """Return the folder or module, directly in its package, to which a module belongs."""
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("package", PACKAGES)
def test_every_part_of_a_package_is_in_the_order(package: str) -> None:
    found = {part_of(name) for name in MODULES if is_part_of(name, [package])} - {""}
    listed = [[part] if isinstance(part, str) else part for part in ORDER[package]]
    assert sorted(found) == sorted(chain.from_iterable(listed))


@pytest.mark.parametrize("name", [name for name in MODULES if part_of(name)])
def test_imports_within_a_package_go_one_way(name: str) -> None:
    package, part = name.partition(".")[0], part_of(name)
    places = {
        each: place
        for place, parts in enumerate(ORDER[package])
        for each in ([parts] if isinstance(parts, str) else parts)
    }
    own = {part_of(found) for found in imports(name) if found.startswith(f"{package}.")}
    assert [each for each in own - {part} if places[each] <= places[part]] == []


@pytest.mark.parametrize("name", MODULES)
def test_only_the_web_and_the_commands_import_aiohttp(name: str) -> None:
    allowed = (
        "pombo_exporter.web",
        "pombo_exporter.__main__",
        "pombo_exporter.top.client",
        "pombo_exporter.notify.client",
    )
    assert is_part_of(name, allowed) or "aiohttp" not in top_level_imports(name)


def test_imports_have_no_cycle() -> None:
    graph = {name: {found for found in imports(name) if found in MODULES} for name in MODULES}
    # A package's __init__ imports its modules, which may import only the version from it.
    for name, found in graph.items():
        found -= {package for package in PACKAGES if name.startswith(f"{package}.")}
    tuple(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_docstring_that_begins_with_a_sentence(name: str) -> None:
    docstring = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the project's own files: no caches, no installed packages, no Git."""
    for path in sorted(folder.iterdir()):
        own = path.name in {".ci", ".github"} or not path.name.startswith((".", "__pycache__"))
        own = own and path not in (ROOT / "dist", ROOT / "site")  # what was built
        if own and path.is_dir():
            yield from files(path)
        elif own:
            yield path


def pins(name: str) -> list[str]:
    """Return the pinned packages of a lock file, each with its version."""
    text = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    return [line for line in text.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize("name", LOCKS)
def test_pinned_packages_have_hashes_and_no_url(name: str) -> None:
    found = pins(name)
    assert len(found) > 5
    assert all("==" in pin and pin.endswith("\\") for pin in found)
    assert not any(line.strip().startswith("-") for line in found)


def test_what_runs_is_tested_in_the_same_versions() -> None:
    tested = {pin.split()[0] for pin in pins("development")}
    older = "python_full_version < '3.11'"  # than the Python of the exporter and of the tests
    found = (pin for name in LOCKS for pin in pins(name) if older not in pin)
    assert {pin.split()[0] for pin in found} == tested


@pytest.mark.parametrize("name", ["agent", "exporter"])
def test_what_a_program_requires_is_pinned_for_it(name: str) -> None:
    found = {pin.split("==")[0] for pin in pins(name)}
    for folder in ("wire", "cli", name):
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
        required = {re.split(r"[^a-z-]", each)[0] for each in project["project"]["dependencies"]}
        assert {each for each in required if not each.startswith("pombo")} <= found


def test_what_runs_needs_no_developers_tool() -> None:
    running = {pin.split("==")[0] for name in ("agent", "exporter") for pin in pins(name)}
    assert not {"hypothesis", "mypy", "playwright", "pytest", "ruff"} & running


def test_no_file_contains_the_path_of_the_repository() -> None:
    paths = {str(ROOT), str(Path.home())} - {"/"}
    for path in files():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not any(f"{each}/" in text for each in paths), path
