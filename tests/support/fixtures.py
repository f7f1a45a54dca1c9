"""Files of hosts for collectors: below ``proc``, ``sys`` and ``root``, with symbolic links."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pombo_agent.collecting.flags import Flags, Kind, from_json
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.sources import Sources, Usages
from pombo_agent.options import COLLECTORS

from support.collectors import flags_of

FIXTURES = Path(__file__).parents[1] / "agent/collectors/fixtures"

#: What the folder of a collector has besides the files of the host: its links, and its flags.
LINKS, FLAGS = "links", "flags.json"


#: Filters with which Debian's node_exporter excludes something by default, and the agent does not.
_EXCLUDE_BY_DEFAULT = {"collector.netdev.device"}


def copy_fixture(name: str, folder: Path) -> list[Path]:
    """Copy the fixture of a collector and make its links; return all files that are there then.

    The folder may have those of other collectors.

    The file ``links`` has a link and its target in each line. They are no links in the repository,
    since programs that visit all its files would not end.
    """
    shutil.copytree(FIXTURES / name, folder, dirs_exist_ok=True)
    (folder / FLAGS).unlink(missing_ok=True)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LINKS)
    links = folder / LINKS
    if links.exists():
        for line in links.read_text(encoding="utf-8").splitlines():
            link, target = line.split(" ")
            (folder / link).parent.mkdir(parents=True, exist_ok=True)
            (folder / link).symlink_to(target)
        links.unlink()
    return files


def given_flags(name: str, folder: Path) -> dict[str, Any]:
    """Return the flags that ``flags.json`` gives to the collector; ``HOST`` is the folder.

    A value is a text, true or false, a list of texts, ``{"pattern": …}``, or
    ``{"filter": [include, exclude]}``.
    """
    path = FIXTURES / name / FLAGS
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text("utf-8").replace("HOST", str(folder)))
    return found


def flags_in(name: str, folder: Path) -> Flags:
    """Return the values of all flags of the collector; nothing is filtered out by default."""
    values = flags_of(COLLECTORS[name]).values
    given = given_flags(name, folder)
    assert given.keys() <= values.keys()
    return Flags({**values, **{flag: from_json(value) for flag, value in given.items()}})


def sources_in(name: str, folder: Path) -> Sources:
    """Return the files in a folder as what the collector reads from, with its flags."""
    paths = folder / "proc", folder / "sys", folder / "root", folder / "root/run/udev/data"
    return Sources(*paths, flags_in(name, folder), _usages, Skips(), {})


def _usages(paths: Iterable[str]) -> Usages:
    return Usages({path: {"size": 1, "free": 1, "files": 1} for path in paths}, {})


def arguments_in(name: str, folder: Path) -> list[str]:
    """Return the same flags as arguments, of the agent as of node_exporter."""
    collector, given = COLLECTORS[name], given_flags(name, folder)
    arguments = []
    for own in collector.flags:
        flag, shown = collector.parameter(own), given.get(own.name)
        if shown is None:
            if own.kind is Kind.FILTER and (own.default or flag in _EXCLUDE_BY_DEFAULT):
                arguments.append(f"--{flag}-exclude=^$")
        elif isinstance(shown, bool):
            arguments.append(f"--{flag}" if shown else f"--no-{flag}")
        elif isinstance(shown, dict) and "filter" in shown:
            pairs = zip(("include", "exclude"), shown["filter"], strict=True)
            arguments += [f"--{flag}-{verb}={pattern}" for verb, pattern in pairs if pattern]
        elif isinstance(shown, dict):
            arguments.append(f"--{flag}={shown['pattern']}")
        else:
            texts = shown if isinstance(shown, list) else [shown]
            arguments += [f"--{flag}={text}" for text in texts]
    return arguments
