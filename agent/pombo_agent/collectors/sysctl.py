"""Kernel parameters that flags choose."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import texts
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, family

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_]")

_INFO = "sysctl info"

FLAGS = (
    texts("include", "Select sysctl metrics to include"),
    texts("include-info", "Select sysctl metrics to include as info metrics"),
)


class Parameter(NamedTuple):
    """A parameter, such as ``fs.file-nr``, and the names of its values, if the flag has any."""

    name: str
    keys: tuple[str, ...]


def collect(sources: Sources) -> list[Section]:
    """Return a family for each parameter, and ``node_sysctl_info``."""
    found: dict[str, Section] = {}
    for parameter, file in _files(sources, sources.flags.texts("include")):
        for section in families_of(parameter, file):
            found.setdefault(section.name, section)
    rows: list[tuple[Cell, ...]] = []
    for parameter, file in _files(sources, sources.flags.texts("include-info")):
        values = file.data.split()
        if parameter.keys:
            sources.skips.add("flag", f"{parameter.name}: texts have no keys", file.path)
        else:
            rows += ((parameter.name, value, str(at), 1) for at, value in enumerate(values))
    labels = ("name", "value", "index")
    return [*found.values(), *family("node_sysctl_info", "gauge", _INFO, labels, rows)]


def families_of(parameter: Parameter, file: File) -> list[Section]:
    """Return the families of a parameter that consists of one or several numbers.

    Several have the label ``index``, or each a family of its own if there is a key for each.
    """
    values = [file.number(word) for word in file.data.split()]
    family_name = f"node_sysctl_{_FORBIDDEN.sub('_', parameter.name)}"
    text = f"sysctl {parameter.name}"
    if parameter.keys:
        if len(values) != len(parameter.keys) or len(values) < 2:
            counts = f"{len(values)} values, {len(parameter.keys)} keys"
            file.skip("line", f"{parameter.name}: {counts}".encode())
            return []
        return [
            section
            for at, (key, value) in enumerate(zip(parameter.keys, values, strict=True))
            for section in family(
                f"{family_name}_{_FORBIDDEN.sub('_', key)}",
                "untyped",
                f"{text}, field {at}",
                (),
                [(value,)],
            )
        ]
    if len(values) == 1:
        return family(family_name, "untyped", text, (), [(values[0],)])
    rows = [(str(at), value) for at, value in enumerate(values)]
    return family(family_name, "untyped", text, ("index",), rows)


def _files(sources: Sources, flags: Iterable[str]) -> Iterator[tuple[Parameter, File]]:
    """Yield the parameters of flags such as ``fs.file-nr:total,current,max``, with their files."""
    for given in flags:
        name, _, keys = given.partition(":")
        path = f"{sources.procfs}/sys/{name.replace('.', '/')}"
        if file := sources.optional(path):
            yield Parameter(name, tuple(keys.split(",")) if keys else ()), file


COLLECTORS = [Collector("sysctl", collect, enabled=False, flags=FLAGS)]
