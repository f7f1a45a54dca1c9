"""Every collector with odd input: what is sound still comes out, exactly.

For each collector, ``fixtures/NAME`` has files of a host, below ``proc``, ``sys`` and ``root``, and
``links``, whose lines have a symbolic link and its target; ``flags.json`` has flags of the
collector, in which ``HOST`` is the folder.
What depends on a line, a value or a file is found by removing the line or the file, or by writing
another number: these cells may differ when the input is odd, and no others.
"""

import errno
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from pombo_agent.collecting.reading import PathLike, Skips, read_bytes
from pombo_agent.collecting.repair import valid
from pombo_agent.collecting.sources import NoDataError, Sources, Usages
from pombo_agent.options import COLLECTORS
from pombo_wire.columns import SECTIONS
from pombo_wire.section import Section, check, in_order
from support.fixtures import FIXTURES, copy_fixture, flags_in

#: Collectors that read no file, and those whose values decide which rows there are.
WITHOUT_FILES = {
    *("ethtool", "logind", "network_route", "qdisc", "systemd", "tcpstat", "timex"),
    *("top-processes", "wifi"),
}

#: Files that are not read, since it matters only whether they exist, or only to node_exporter.
NOT_READ = {
    *("enforce", "bonding_masters", "max_energy_range_uj", "node_name", "offline"),
    *("policy", "related_cpus", "scaling_driver", "scaling_setspeed", "uevent"),
}

#: Values that differ from one run to the next, by section and column.
VOLATILE = {("containers", "start_time"), ("system", "time")}

#: Files of which a value may depend on several lines, since it is a sum or the lines belong
#: together.
LINES_BELONG_TOGETHER = {
    *("arp", "arp_cache", "ip_vs", "ip_vs_stats", "netstat"),
    *("nf_conntrack", "snmp", "udp", "udp6"),
    *("b254:0", "b8:0", "b8:1", "cgroup.procs", "os-release", "zoneinfo"),
    *("drbd", "io_done", "io_errors", "mdstat", "mountstats", "mountinfo"),
    *("cpuinfo", "interrupts", "objset-0x36", "objset-0x102"),
}

#: Collectors that skip a file as a whole where a line of it is faulty.
WHOLE_FILES = {"textfile"}

#: Columns that depend on when a file was written, and on every file.
OF_ALL_FILES = {("textfiles", "mtime"), ("textfile", "scrape_error")}

#: Open families whose rows are named by the first labels alone; the others are texts of the row.
NAMED_BY = {
    "node_cpu_info": 1,
    "node_drm_card_info": 1,
    "node_nvme_info": 1,
    "node_pcidevice_info": 4,
    "node_power_supply_info": 1,
    "node_watchdog_info": 1,
}

#: The most files on which a value depends: its own, and two that name its row.
MOST_FILES = 3

#: Sections of which a row has a sum over files, or labels from several.
OF_MANY_FILES = {"node_bonding_*", "node_fibrechannel_info", "node_infiniband_info"}

ODD_VALUES = (b"-1", b"N/A", b"18446744073709551616", b"1" * 400, b"nan", b"1_0", b"\xff")
SEPARATORS = (b"", b"-")
ODD_BYTES = (b"\0", b"\r", "\N{LINE SEPARATOR}".encode(), b"\x0b\x1c\x85", b"\xff\xfe", b"\xc3")
_NUMBER = re.compile(rb"-?(0x)?[0-9a-f.]*[0-9][0-9a-f.]*", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")
_WORD = re.compile(rb"\S+")

#: A value or a text of a section: the section, the keys of the row, and the column.
Cell = tuple[str, tuple[str, ...], str]
Cells = dict[Cell, float | str]
Read = Callable[[PathLike], tuple[bytes, bool]]


class Run(NamedTuple):
    """What a collector has made of its files, and how many items it has skipped."""

    cells: Cells
    skipped: int


def usages(paths: Iterable[str]) -> Usages:
    """Return sizes that depend on the path alone."""
    return Usages({path: {"size": len(path), "free": 1, "files": 7} for path in paths}, {})


class Host:
    """The files of a collector's fixture, of which a test changes one."""

    def __init__(self, name: str, folder: Path) -> None:
        self.collect = COLLECTORS[name].collect
        self.skips_files = name in WHOLE_FILES
        self.files = copy_fixture(name, folder)
        # Files of a second device are read as those of the first are.
        kinds = {_DIGITS.sub("0", str(path)): path for path in reversed(self.files)}
        self.kinds = sorted(kinds.values())
        root = f"{folder}/root"
        paths = (f"{folder}/proc", f"{folder}/sys", root, f"{root}/run/udev/data")
        self._sources = Sources(*paths, flags_in(name, folder), usages, Skips(), {})
        unread = {path for path in self.files if path.name not in NOT_READ}

        def read(source: PathLike) -> tuple[bytes, bool]:
            unread.discard(Path(os.path.realpath(source)))
            return read_bytes(source)

        self.sound = self.run(read).cells
        assert self.sound, "the fixture makes no section"
        assert unread == set(), "the collector does not read all of its fixture"

    def run(self, read: Read = read_bytes) -> Run:
        """Collect once. What a collector raises because of odd input is an error of the test."""
        skips = Skips()
        sources = self._sources._replace(skips=skips, kept={}, read=read)
        try:
            found = [valid(section, skips) for section in self.collect(sources)]
        except (NoDataError, FileNotFoundError, NotADirectoryError):
            found = []
        return Run(cells_of(found), skips.count)

    def run_or_fail(self, read: Read = read_bytes) -> Run:
        """Collect once, where a file that the collector needs may be unreadable."""
        try:
            return self.run(read)
        except OSError:
            return Run({}, 1)

    def with_content(self, path: Path, content: bytes) -> Run:
        """Collect with another content of a file."""

        def read(source: PathLike) -> tuple[bytes, bool]:
            return (content, True) if is_same(source, path) else read_bytes(source)

        return self.run(read)

    def affected(self, run: Run) -> set[Cell]:
        """Return the sound cells that a run lacks or that differ."""
        return {cell for cell, value in self.sound.items() if run.cells.get(cell) != value}

    def of_file(self, path: Path) -> set[Cell]:
        """Return the cells that a fault in a file may cost besides its own: all, or none."""
        if not self.skips_files:
            return set()
        return self.affected(self.with_content(path, b"faulty"))

    def has_lost_a_number(self, run: Run) -> bool:
        """Return whether a run has fewer numbers, and nothing under another name."""
        lost = self.sound.keys() - run.cells.keys()
        is_number = any(not isinstance(self.sound[cell], str) for cell in lost)
        return is_number and run.cells.keys() <= self.sound.keys()


def is_same(source: PathLike, path: Path) -> bool:
    """Return whether a path leads to a file, perhaps by symbolic links."""
    return "\0" not in os.fspath(source) and os.path.realpath(source) == str(path)


def cells_of(sections: list[Section]) -> Cells:
    """Return the values and texts of sections, after checking that the exporter accepts them."""
    found: Cells = {}
    for section in in_order(sections):
        check(section)
        known = SECTIONS.get(section.name)
        count = known.keys if known else NAMED_BY.get(section.name, len(section.labels))
        texts = [*zip(*section.labels.values(), strict=True)] or [()]
        rows = [row[:count] for row in texts]
        for at, name in enumerate(section.labels):
            if at >= count:  # the others identify the row
                pairs = zip(rows, texts, strict=True)
                found |= {(section.name, keys, name): text[at] for keys, text in pairs}
        columns = section.columns if section.values else {section.name: section.cells}
        for name, cells in columns.items():
            found |= {
                (section.name, keys, name): cell
                for keys, cell in zip(rows, cells, strict=False)
                if cell is not None
            }
    return {
        (section, keys, name): value
        for (section, keys, name), value in found.items()
        if (section, name) not in VOLATILE | OF_ALL_FILES
    }


@pytest.fixture(params=[name for name in COLLECTORS if name not in WITHOUT_FILES])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return Host(request.param, tmp_path / "host")


def odd_lines(line: bytes) -> Iterator[bytes]:
    """Yield what may stand in the place of a line, which has no newline."""
    yield b""
    yield b" \t"
    yield line + b"\n" + line
    yield from (line[:at] for at in sorted({1, len(line) // 3, len(line) // 2, len(line) - 1}))
    for odd in ODD_BYTES:
        middle = len(line) // 2
        yield from (odd + line, line + odd, line[:middle] + odd + line[middle:])
        yield odd


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")


def with_line(lines: list[bytes], at: int, *instead: bytes) -> bytes:
    """Return the content of a file with other lines in the place of one."""
    return b"\n".join((*lines[:at], *instead, *lines[at + 1 :]))


def test_line_costs_itself_alone(host: Host) -> None:
    for path in host.kinds:
        lines = lines_of(path)
        of_file = host.of_file(path)
        depending: Counter[Cell] = Counter()
        for at, line in enumerate(lines):
            content = partial(with_line, lines, at)
            assert host.affected(host.with_content(path, content(b"", line))) == set(), path
            if not line:
                continue
            own = host.affected(host.with_content(path, content()))
            depending.update(own)
            for odd in odd_lines(line):
                others = host.affected(host.with_content(path, content(odd))) - own - of_file
                assert others == set(), (path, odd)
        if path.name not in LINES_BELONG_TOGETHER and not of_file and len(lines) > 2:
            assert {cell: n for cell, n in depending.items() if n > 1} == {}, path


def test_value_costs_itself_alone_and_is_counted(host: Host) -> None:
    for path in host.kinds:
        content = path.read_bytes()
        of_file = host.of_file(path)
        for word in _WORD.finditer(content):
            before, after = content[: word.start()], content[word.end() :]
            of_line = host.affected(host.with_content(path, without_line(content, word))) | of_file
            own, is_number = of_line, _NUMBER.fullmatch(word[0])
            if is_number:
                another = b"8" if b"7" in word[0] else b"7"
                own = host.affected(host.with_content(path, before + another + after)) | of_file
            for odd in ODD_VALUES:
                run = host.with_content(path, before + odd + after)
                affected = host.affected(run)
                assert affected <= own, (path, word[0], odd)
                if is_number and odd == b"N/A" and host.has_lost_a_number(run):
                    assert run.skipped, (path, word[0], odd)
            for separator in SEPARATORS:  # it may end a field, or mean that there are none
                run = host.with_content(path, before + separator + after)
                assert host.affected(run) <= own | of_line, (path, word[0], separator)


def without_line(content: bytes, word: re.Match[bytes]) -> bytes:
    """Return the content of a file without the line of a word."""
    start = content.rfind(b"\n", 0, word.start()) + 1
    end = content.find(b"\n", word.end())
    return content[:start] + (content[end + 1 :] if end >= 0 else b"")


def test_file_costs_itself_alone(host: Host) -> None:
    depending: Counter[Cell] = Counter()
    for path in host.files:
        content = path.read_bytes()
        path.unlink()
        own = host.affected(host.run())
        depending.update(own)
        path.mkdir()  # it can be opened, and not be read
        run = host.run_or_fail()
        assert host.affected(run) <= own, path
        assert run.skipped or run.cells.keys() == host.sound.keys() or not own, path
        path.rmdir()
        path.symlink_to(path)  # it cannot be opened
        run = host.run_or_fail()
        assert host.affected(run) <= own, path
        assert run.skipped or run.cells.keys() == host.sound.keys() or not own, path
        path.unlink()
        path.write_bytes(content)
    assert {
        cell: n for cell, n in depending.items() if n > MOST_FILES and cell[0] not in OF_MANY_FILES
    } == {}


def test_file_that_fails_half_way_has_the_lines_before(host: Host) -> None:
    for path in host.kinds:
        lines = path.read_bytes().splitlines(keepends=True)
        for count in range(len(lines)):
            rest = host.affected(host.with_content(path, b"".join(lines[:count])))
            rest |= host.of_file(path)
            chunks = iter([b"".join((*lines[:count], lines[count][:1]))])

            def fail(_file: int, _size: int, chunks: Iterator[bytes] = chunks) -> bytes:
                for chunk in chunks:
                    return chunk
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            def read(source: PathLike, path: Path = path) -> tuple[bytes, bool]:
                return read_bytes(source, fail if is_same(source, path) else os.read)

            assert host.affected(host.run(read)) <= rest, (path, count)


def test_file_that_never_returns_costs_itself_alone_once_it_has(
    host: Host,
) -> None:
    for path in host.kinds:
        content = path.read_bytes()
        path.unlink()
        own = host.affected(host.run())
        os.mkfifo(path)
        runs: list[Run] = []
        thread = threading.Thread(target=lambda runs=runs: runs.append(host.run_or_fail()))
        thread.start()
        write_nothing(path, thread)
        thread.join(60)
        assert host.affected(runs[0]) <= own, path
        path.unlink()
        path.write_bytes(content)


def write_nothing(path: Path, thread: threading.Thread) -> None:
    """Open and close a FIFO each time that the thread reads it, which waits for that."""
    while thread.is_alive():
        with suppress(OSError):  # nothing reads it yet
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def test_every_collector_has_a_fixture() -> None:
    assert {path.name for path in FIXTURES.iterdir()} == COLLECTORS.keys() - WITHOUT_FILES
