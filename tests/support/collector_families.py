"""What collectors make of their fixtures, and the families that their sources name."""

import ast
import inspect
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import PathLike, read_bytes
from pombo_agent.collecting.sources import NoDataError
from pombo_agent.discovery import collectors_in
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section

from support.fixtures import FIXTURES, copy_fixture, sources_in

#: Functions of the agent whose first argument is the name of a section.
_FUNCTIONS = {"family", "families", "numbers", "record", "table", "Section"}

#: The collector whose open families have any names; only what it says about the files is its own.
REST = "textfile"

#: How many names of a path below a folder of /sys tell what is read, with the folder.
_DEPTHS = {"block": 1, "class": 2, "fs": 2}
_DEPTH = 3
_MOST_PLACES = 4


class OpenFamily(NamedTuple):
    """An open family of a collector; a name with ``*`` stands for several.

    ``labels`` is None, and ``help`` is empty, where the source computes them.
    """

    name: str
    type: str
    labels: tuple[str, ...] | None
    help: str


class Made(NamedTuple):
    """What a collector makes of its fixture: sections, and the paths that it has read."""

    sections: list[Section]
    paths: set[str]


@cache
def made_by(name: str) -> Made:
    """Run a collector on its fixture. There is nothing where it has none."""
    paths: set[str] = set()
    if not (FIXTURES / name).exists():
        return Made([], paths)
    with tempfile.TemporaryDirectory() as folder:
        host = Path(folder).resolve() / "host"

        def read(path: PathLike) -> tuple[bytes, bool]:
            found = read_bytes(path)
            paths.add(str(Path(path).relative_to(host)))
            return found

        copy_fixture(name, host)
        with suppress(NoDataError, OSError, ImportError):
            sections = COLLECTORS[name].collect(sources_in(name, host)._replace(read=read))
            return Made(sections, paths)
    return Made([], paths)


def sections_of(collector: Collector) -> list[Section]:
    """Return the sections that a collector makes of its fixture."""
    return made_by(collector.name).sections


def families_of(section: Section) -> list[str]:
    """Return the names of the families of an open section."""
    return [section.name.replace("*", name, 1) for name in section.values] or [section.name]


def _module(collector: Collector) -> tuple[ModuleType, Any]:
    function = getattr(collector.collect, "func", collector.collect)  # of a partial
    module = inspect.getmodule(function)
    assert module
    return module, function


def is_alone(collector: Collector) -> bool:
    """Return whether a collector is the only one of its module."""
    name = _module(collector)[0].__name__.rpartition(".")[2]
    return len(collectors_in(name)) == 1


def named_by(collector: Collector, *, alone: bool) -> set[str]:
    """Return the names of sections in a collector's module, if it is ``alone``, or its function."""
    return {name for name, _ in _calls(collector, alone=alone)}


def _calls(collector: Collector, *, alone: bool) -> Iterator[tuple[str, list[Any]]]:
    """Yield the name of each section in the source, and the other arguments; None is unknown."""
    module, function = _module(collector)
    source = textwrap.dedent(inspect.getsource(module if alone else function))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            name, *others = [_value(argument, module) for argument in node.args]
            if node.func.id in _FUNCTIONS and isinstance(node.args[0], ast.Constant):
                yield name, others


def _value(node: ast.expr, module: ModuleType) -> Any:
    if isinstance(node, ast.Name):
        return getattr(module, node.id, None)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def open_families(name: str) -> list[OpenFamily]:
    """Return the open families of a collector: those of its fixture, and others in its source.

    A pattern is left out where the names that it stands for are known.
    """
    collector = COLLECTORS[name]
    found: dict[str, OpenFamily] = {}
    patterns = set()
    for section in made_by(name).sections:
        if not section.type:
            continue
        patterns.add(section.name)
        helps = [section.help] if isinstance(section.help, str) else [*section.help]
        families = families_of(section)
        helps += [helps[-1]] * (len(families) - len(helps))
        for family, text in zip(families, helps, strict=True):
            if name != REST or family.startswith(f"node_{REST}_"):
                found[family] = OpenFamily(family, section.type, tuple(section.labels), text)
    for each in _in_source(collector):
        if each.name not in patterns:
            found.setdefault(each.name, each)
    return [found[each] for each in sorted(found)]


def _in_source(collector: Collector) -> Iterator[OpenFamily]:
    for pattern, others in _calls(collector, alone=is_alone(collector)):
        if not pattern.startswith("node_"):
            continue
        kind, helps, labels, *_ = [*others, None, None, None]
        names = tuple(labels) if isinstance(labels, tuple | list) else None
        type_ = kind if isinstance(kind, str) else ""
        if isinstance(helps, Mapping) and "*" in pattern:
            for column, text in helps.items():
                if isinstance(column, str) and isinstance(text, str):
                    yield OpenFamily(pattern.replace("*", column, 1), type_, names, text)
        else:
            yield OpenFamily(pattern, type_, names, helps if isinstance(helps, str) else "")


def places_of(name: str) -> list[str]:
    """Return the files, or the folders of the files, that a collector reads of its fixture."""
    found = {_place(path, _DEPTH) for path in made_by(name).paths}
    if len(found) > _MOST_PLACES:
        found = {_place(path, 1) for path in made_by(name).paths}
    return sorted(found)


def _place(path: str, depth: int) -> str:
    root, *parts = path.split("/")
    if root == "sys":
        depth = _DEPTHS.get(parts[0], _DEPTH)
    kept = ["<pid>" if part.isdecimal() else part for part in parts[:depth]]
    return "/".join(["", *([root] if root != "root" else []), *kept])
