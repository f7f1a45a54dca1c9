"""Reads text files with metrics, and makes open families of them; see ``collectors.textfile``."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pombo_wire.families import reserved_families
from pombo_wire.limits import MAX_LABEL_COLUMNS, MAX_TEXT, RESERVED_FAMILY_LABELS
from pombo_wire.section import Section, is_family_name, is_label_name

from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, family, record, table
from pombo_agent.collecting.text_format import Family, Labels, Sample, parse

#: The most bytes of a file, files, and families and samples of all. What is beyond is skipped.
MAX_FILE_BYTES = 2**20
MAX_FILES = 256
MAX_FAMILIES = 256
MAX_SAMPLES = 4000

_MAGIC = re.compile(r"[*?\[\\]")
_PART = re.compile(r"\*|\?|\[(\^?)((?:[^\]\\]|\\.)+)\]|\\(.)|([^\[\\])", re.DOTALL)
_MEMBER = re.compile(r"\\?(.)(?:-\\?(.))?", re.DOTALL)


class _Read(NamedTuple):
    """What was read of a file: its families, or what is wrong with it.

    ``state`` tells whether it has changed since.
    """

    state: tuple[int, ...]
    mtime: int
    families: list[Family] | None
    skips: Skips


class _Merged(NamedTuple):
    """The sections of all files, of which each had the same ``states``."""

    states: dict[str, tuple[int, ...]]
    sections: list[Section]
    skips: Skips


def sections_of(sources: Sources, patterns: Iterable[str]) -> list[Section]:
    """Return the families of all files as open families, and what is known about the files.

    ``patterns`` are directories, or match them. What was read is kept until a file changes.

    A file that is faulty in one place is skipped as a whole, since its program may have written a
    part of it only.
    """
    paths, is_faulty = _paths(sources, patterns)
    known: Mapping[str, _Read] = sources.kept.get("files", {})
    files = {path: _read(sources, path, known.get(path)) for path in paths}
    sources.kept["files"] = files
    for each in files.values():
        _add(sources.skips, each.skips)
    good = {path: each for path, each in files.items() if each.families is not None}
    states = {path: each.state for path, each in good.items()}
    merged: _Merged | None = sources.kept.get("merged")
    if merged is None or merged.states != states:
        merger = _Merger(good)
        merged = sources.kept["merged"] = _Merged(states, merger.sections(), merger.skips)
    _add(sources.skips, merged.skips)
    mtimes: list[Row] = [{"file": path, "mtime": each.mtime} for path, each in good.items()]
    error = int(is_faulty or len(good) < len(files))
    return [
        *record("textfile", {"scrape_error": error}),
        *table("textfiles", mtimes),
        *merged.sections,
    ]


def _paths(sources: Sources, patterns: Iterable[str]) -> tuple[list[str], bool]:
    """Return the paths of all files, and whether a directory could not be read."""
    is_faulty = False
    found: dict[str, None] = {}
    for directory in dict.fromkeys(each for pattern in patterns for each in expand(pattern)):
        try:
            names = sorted(os.listdir(directory))
        except (OSError, ValueError) as error:
            sources.skips.add("directory", str(error), directory)
            is_faulty = True
            continue
        found |= dict.fromkeys(_joined(directory, name) for name in names if name.endswith(".prom"))
    paths = [*found]
    for path in paths[MAX_FILES:]:
        sources.skips.add("file", f"more than {MAX_FILES} files", path)
        is_faulty = True
    return paths[:MAX_FILES], is_faulty


def _read(sources: Sources, path: str, known: _Read | None) -> _Read:
    """Return what is in a file: what is known of it, unless it has changed."""
    skips = Skips()
    state: tuple[int, ...] = ()
    seconds = 0
    families = None
    try:
        found = os.stat(path)
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        seconds = found.st_mtime_ns // 10**9
        if known is not None and known.state == state:
            return known
        families = _parsed(sources, path, found)
    except (OSError, ValueError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        skips.add("file", f"{os.path.basename(path)}: {reason}", path)
    return _Read(state, seconds, families, skips)


def _parsed(sources: Sources, path: str, found: os.stat_result) -> list[Family]:
    """Return the families of a file.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is not a regular file, too large, or not in the text format.
    """
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    if found.st_size > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
    data, is_whole = sources.read(path)
    if not is_whole:
        raise ValueError("reading failed half-way")
    return parse(data, MAX_SAMPLES)


class _Samples:
    """The samples of one name, of all files."""

    def __init__(self, kind: str, help_text: str) -> None:
        self.kind, self.help = kind, help_text
        self.labels: dict[str, None] = {}
        self.rows: dict[frozenset[tuple[str, str]], tuple[dict[str, str], float]] = {}

    def section(self, name: str) -> list[Section]:
        rows: list[tuple[Cell, ...]] = [
            (*(labels.get(label, "") for label in self.labels), value)
            for labels, value in self.rows.values()
        ]
        return family(name, self.kind, self.help, [*self.labels], rows)


class _Merger:
    """Makes sections of the families of several files, and counts what is left out in ``skips``."""

    def __init__(self, files: Mapping[str, _Read]) -> None:
        self._files = files
        self.skips = Skips()
        self._families: dict[str, tuple[str, str]] = {}  # the type and the HELP text by name
        self._owners: dict[str, str] = {}  # the family of each name of samples
        self._samples: dict[str, _Samples] = {}
        self._count = 0

    def sections(self) -> list[Section]:
        """Return an open family for each name of samples."""
        helps = self._default_helps()
        for path, each in self._files.items():
            for found in each.families or ():
                text = helps[found.name] if found.help is None else found.help
                reason = self._fault(found, text)
                if reason:
                    self.skips.add("family", f"{found.name}: {reason}", path)
                else:
                    self._add(found, text, path)
        return [section for name, each in self._samples.items() for section in each.section(name)]

    def _default_helps(self) -> dict[str, str]:
        """Return the HELP text of each family for where it has none."""
        paths: dict[str, list[str]] = {}
        for path, each in self._files.items():
            for found in each.families or ():
                paths.setdefault(found.name, []).append(path)
        return {name: f"Metric read from {', '.join(found)}" for name, found in paths.items()}

    def _fault(self, found: Family, text: str) -> str:
        """Return why a family of a file must be left out; empty where it need not."""
        names = {found.name + part for part, _, _ in found.samples}
        labels = {label for _, pairs, _ in found.samples for label, _ in pairs}
        known = (self._samples[name].labels for name in names & self._samples.keys())
        faults = {
            "another file has another TYPE or HELP": self._families.setdefault(
                found.name, (found.type, text)
            )
            != (found.type, text),
            "another family has samples of the same name": any(
                self._owners.get(name, found.name) != found.name for name in names
            ),
            "the name is taken or invalid": any(
                not is_family_name(name) or name in reserved_families() for name in names
            ),
            "a label has an invalid name": not all(
                map(is_label_name, labels - RESERVED_FAMILY_LABELS)
            ),
            f"more than {MAX_LABEL_COLUMNS} labels": len(labels.union(*known)) > MAX_LABEL_COLUMNS,
            f"more than {MAX_FAMILIES} families": len(self._owners.keys() | names) > MAX_FAMILIES,
        }
        return next((reason for reason, is_so in faults.items() if is_so), "")

    def _add(self, found: Family, text: str, path: str) -> None:
        for part, pairs, value in found.samples:
            name = found.name + part
            self._owners[name] = found.name
            rows = self._samples.get(name)
            if rows is None:
                rows = self._samples[name] = _Samples(found.type, text)
            self._add_row(rows, (name, pairs, value), path)

    def _add_row(self, rows: _Samples, sample: Sample, path: str) -> None:
        name, pairs, value = sample
        labels = exported(pairs)
        key = frozenset((label, each) for label, each in labels.items() if each)
        if any(len(each) > MAX_TEXT for each in labels.values()):
            self.skips.add("text", f"{name}: over {MAX_TEXT} characters", path)
        if value is None or abs(value) == float("inf"):
            self.skips.add("value", f"{name}: {value}", path)
        elif value != value:  # noqa: PLR0124 - NaN says that there is not a value
            pass
        elif value < 0 and rows.kind == "counter":
            self.skips.add("value", f"{name}: a counter is {value}", path)
        elif key in rows.rows:
            self.skips.add("row", f"{name}: the same series twice", path)
        elif self._count >= MAX_SAMPLES:
            self.skips.add("row", f"{name}: more than {MAX_SAMPLES} samples", path)
        else:
            rows.labels |= dict.fromkeys(labels)
            rows.rows[key] = labels, value
            self._count += 1


def exported(pairs: Labels) -> dict[str, str]:
    """Return labels under the names that Prometheus gives them when its own have theirs.

    A scrape without ``honor_labels`` does that: ``instance`` becomes ``exported_instance``.
    """
    labels = dict(pairs)
    for name in RESERVED_FAMILY_LABELS & labels.keys():
        other = f"exported_{name}"
        while other in labels:
            other = f"exported_{other}"
        labels[other] = labels.pop(name)
    return labels


def _add(skips: Skips, others: Skips) -> None:
    """Count what was skipped when a file was last read, as it is skipped again."""
    skips.count += others.count
    for kind, example in others.examples.items():
        skips.examples.setdefault(kind, example)


def expand(pattern: str) -> list[str]:
    """Return the paths that a pattern matches; itself where it is none or matches nothing.

    ``*``, ``?`` and ``[...]`` match within one name of the path, and a backslash makes them plain.
    A name may begin with a dot.
    """
    if not _MAGIC.search(pattern):
        return [pattern]
    try:
        return [*_matches(pattern)] or [pattern]
    except (re.error, ValueError):
        return [pattern]


def _matches(pattern: str) -> Iterator[str]:
    """Yield the paths that a pattern matches, in the order of their names.

    Raises:
        re.error, ValueError: when it is not valid.
    """
    directory, slash, last = pattern.rpartition("/")
    matching = re.compile(_translated(last), re.DOTALL)
    directory = directory.rstrip("/") or slash or "."
    for each in _matches(directory) if _MAGIC.search(directory) else [directory]:
        try:
            names = sorted(os.listdir(each))
        except OSError:
            continue
        for name in names:
            if matching.fullmatch(name):
                yield _joined(each, name)


def _translated(pattern: str) -> str:
    """Return the regular expression of a pattern for one name."""
    found = []
    at = 0
    while at < len(pattern):
        part = _PART.match(pattern, at)
        if part is None:
            raise ValueError("syntax error in pattern")
        at = part.end()
        negated, members, escaped, plain = part.groups()
        if members is not None:
            ranges = (_range(*each.groups()) for each in _MEMBER.finditer(members))
            found.append(f"[{'^' if negated else ''}{''.join(ranges)}]")
        elif part[0] == "*":
            found.append(".*")
        elif part[0] == "?":
            found.append(".")
        else:
            found.append(re.escape(plain or escaped))
    return "".join(found)


def _range(first: str, last: str | None) -> str:
    return re.escape(first) if last is None else f"{re.escape(first)}-{re.escape(last)}"


def _joined(directory: str, name: str) -> str:
    """Return the shortest path of a file in a directory."""
    path = os.path.normpath(f"{directory}/{name}")
    return path[1:] if path.startswith("//") else path
