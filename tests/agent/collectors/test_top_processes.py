"""The processes that use the most: files that this test writes, and this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import PathLike, Skips, read_bytes
from pombo_agent.collecting.repair import valid
from pombo_agent.collecting.sources import Sources, Usages
from pombo_agent.collectors import psutil_fallback, top_processes
from pombo_wire.section import Section, check

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
BOOT = 1_763_000_000
INTERVAL = 5.0

Table = dict[str, dict[str, Any]]


class Host:
    """Files of processes, and a clock."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.proc, self.root = folder / "proc", folder / "root"
        self.proc.mkdir()
        (self.root / "etc").mkdir(parents=True)
        users = f"daemon:x:{os.getuid() + 1}::::\nbad\nmaria:x:{os.getuid()}::::\n"
        (self.root / "etc/passwd").write_text(users, encoding="utf-8")
        (self.proc / "stat").write_text(f"cpu 1 2\nbtime {BOOT}\n", encoding="utf-8")
        (self.proc / "uptime").touch()
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "clock_gettime", lambda _: self.now)
        self.values: dict[str, Any] = {"count": 5, "command-lines": False}
        self.skips = Skips()
        self.read_paths: list[str] = []
        self.kept: dict[str, Any] = {}

    def process(
        self, pid: int, name: bytes = b"a", *, ticks: int = 0, pages: int = 1, start: int = 700
    ) -> None:
        """Write the files of a process."""
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        fields = [b"S", *(b"%d" % number for number in range(4, 53))]
        for number, value in ((14, ticks), (15, 0), (22, start), (24, pages)):
            fields[number - 3] = b"%d" % value
        (folder / "stat").write_bytes(b"%d (%b) %b\n" % (pid, name, b" ".join(fields)))

    def end(self, pid: int) -> None:
        (self.proc / str(pid) / "stat").unlink()
        for path in (self.proc / str(pid)).iterdir():
            path.unlink()
        (self.proc / str(pid)).rmdir()

    def read(self, path: PathLike) -> tuple[bytes, bool]:
        self.read_paths.append(os.fspath(path))
        return read_bytes(path)

    def report(self) -> tuple[Table, Table]:
        """Collect an interval later; return the rows by CPU and by memory, by their names."""
        self.now += INTERVAL
        self.read_paths.clear()
        self.skips = Skips()
        paths = str(self.proc), "/nothing", str(self.root), "/nothing"
        usages = Usages({}, {})
        sources = Sources(
            *paths, Flags(self.values), lambda _: usages, self.skips, self.kept, self.read
        )
        found = top_processes.collect(sources)
        for section in found:
            check(section)
            assert valid(section, self.skips) == section
        every = rows(found[0]) if found else {}
        return most(every, "cpu", self.values["count"]), most(every, "memory", self.values["count"])

    @property
    def processes_read(self) -> int:
        return sum(path.endswith("/stat") for path in self.read_paths)


def most(every: Table, column: str, count: int) -> Table:
    """Return the rows with the greatest values, the greatest first."""
    used = [(name, row) for name, row in every.items() if row.get(column)]
    return dict(sorted(used, key=lambda item: -item[1][column])[:count])


def rows(section: Section) -> Table:
    """Return the rows of a table by name."""
    columns: dict[str, Any] = {**section.labels, **section.columns}
    names = columns.pop("name")
    return {
        name: {column: cells[row] for column, cells in columns.items()}
        for row, name in enumerate(names)
    }


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_first_report_has_memory_and_no_cpu(host: Host) -> None:
    host.process(1, b"init", ticks=900, pages=30, start=0)
    host.process(7, b"postgres", ticks=50, pages=40, start=1234)
    host.process(8, b"kthreadd", pages=0)
    by_cpu, by_memory = host.report()
    assert by_cpu == {}
    assert [*by_memory] == ["postgres", "init"]
    assert by_memory["postgres"] == {
        "pid": "7",
        "user": "maria",
        "command": "",
        "start_time": BOOT + 1234 // TICKS,
        "memory": 40 * PAGE,
    }


def test_cpu_is_the_share_of_one_core_since_the_report_before(host: Host) -> None:
    for pid, name in ((1, b"idle"), (2, b"busy"), (3, b"threads")):
        host.process(pid, name, ticks=1000)
    host.report()
    host.process(2, b"busy", ticks=1000 + int(0.25 * INTERVAL * TICKS))
    host.process(3, b"threads", ticks=1000 + int(3 * INTERVAL * TICKS))
    by_cpu, _ = host.report()
    assert {name: row["cpu"] for name, row in by_cpu.items()} == {"threads": 3.0, "busy": 0.25}
    by_cpu, _ = host.report()
    assert by_cpu == {}


def test_new_process_has_the_cpu_time_since_it_started(host: Host) -> None:
    host.process(1, ticks=1)
    host.report()
    host.report()  # processes are listed in each second one
    start = int((host.now + 1) * TICKS)
    host.process(2, b"new", ticks=TICKS, start=start)
    host.process(3, b"old", ticks=TICKS, start=int((host.now - 5) * TICKS))  # not seen before
    by_cpu, _ = host.report()
    assert by_cpu["new"]["cpu"] == 1 / INTERVAL
    assert by_cpu["old"]["cpu"] == 1 / 10


def test_another_process_of_the_same_number_is_a_new_one(host: Host) -> None:
    host.process(2, b"first", ticks=5000, start=100)
    host.report()
    host.process(2, b"second", ticks=TICKS, start=int(host.now * TICKS))
    by_cpu, by_memory = host.report()
    assert by_cpu["second"]["cpu"] == 1 / INTERVAL
    assert [*by_memory] == ["second"]


def test_most_are_shown_first_and_no_more_than_the_flag_says(host: Host) -> None:
    host.values["count"] = 2
    for pid in range(1, 10):
        host.process(pid, b"p%d" % pid, pages=pid)
    assert [*host.report()[1]] == ["p9", "p8"]
    for pid in range(1, 10):
        host.process(pid, b"p%d" % pid, pages=pid, ticks=100 - pid)
    by_cpu, by_memory = host.report()
    assert ([*by_cpu], [*by_memory]) == (["p1", "p2"], ["p9", "p8"])


def test_process_that_has_ended_is_replaced_by_the_next_one(host: Host) -> None:
    host.values["count"] = 2
    for pid in range(1, 60):
        host.process(pid, b"p%d" % pid, pages=pid)
    host.report()
    host.end(59)
    host.end(58)
    assert [*host.report()[1]] == ["p57", "p56"]


def test_all_processes_have_their_turn_and_few_are_read_in_a_report(host: Host) -> None:
    for pid in range(1, 401):
        host.process(pid, ticks=10, pages=2)
    for _ in range(2):
        host.report()
        assert host.processes_read >= 400  # to know their CPU time
    host.report()
    host.process(7, b"busy", ticks=10 + 20 * TICKS, pages=9)
    reads = []
    for _ in range(top_processes.TURNS + 1):
        by_cpu, by_memory = host.report()
        reads.append(host.processes_read)
        if by_cpu:
            break
    assert [*by_cpu] == ["busy"]
    assert next(iter(by_memory)) == "busy"
    assert max(reads) <= 400 / top_processes.TURNS + 10
    host.process(7, b"busy", ticks=10 + 20 * TICKS + TICKS, pages=9)
    assert host.report()[0]["busy"]["cpu"] == 1 / INTERVAL  # exact, once it is shown


def test_thousands_of_processes_are_bounded_work(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = 0
    names = [str(pid) for pid in range(1, 20_001)]

    def listdir(_: object) -> list[str]:
        nonlocal listed
        listed += 1
        return names

    host.process(1, ticks=1)
    text = (host.proc / "1/stat").read_bytes()
    monkeypatch.setattr(os, "listdir", listdir)

    def read(path: PathLike) -> tuple[bytes, bool]:
        host.read_paths.append(os.fspath(path))
        return text, True

    monkeypatch.setattr(host, "read", read)
    for _ in range(2):
        host.report()
        assert host.processes_read <= top_processes.MOST_FIRST + top_processes.MOST_NEW + 20
    for _ in range(100):
        host.report()
        most = top_processes.MOST_NEW + top_processes.MOST_IN_TURN + 10
        assert host.processes_read <= most + 2
    assert listed <= 100 * top_processes.LISTED // len(names) + 1
    assert len(host.kept["processes"].followed) <= top_processes.MOST_FOLLOWED


NAMES = {
    b"two words": "two words",
    b"a) R 1 (b": "a) R 1 (b",
    b"((sd-pam))": "((sd-pam))",
    b")": ")",
    b"": "",
    b"line\nfeed\tand\x1b[2J": "line?feed?and?[2J",
    b"kworker/u8:0-events_unbound": "kworker/u8:0-events_unbound",
    b"\xff\xfe": "\N{REPLACEMENT CHARACTER}" * 2,
    "Täube 🐦".encode(): "Täube 🐦",
    b"\xc2\x9b7m": "?7m",
}


@pytest.mark.parametrize("name", NAMES)
def test_name_may_have_any_bytes(name: bytes, host: Host) -> None:
    host.process(5, name, pages=3)
    assert [*host.report()[1]] == [NAMES[name]]
    assert host.skips.count == 0


ODD = (b"", b"\n", b"5", b"5 (a", b"5 (a)", b"5 (a) S 1 2", b")", b"\0" * 100, b"(" * 5000)


@pytest.mark.parametrize("content", ODD)
def test_odd_file_costs_its_process_alone(content: bytes, host: Host) -> None:
    host.process(1, b"init", pages=2)
    host.process(5)
    (host.proc / "5/stat").write_bytes(content)
    assert [*host.report()[1]] == ["init"]
    assert host.skips.count == 1


@pytest.mark.parametrize("word", [b"x", b"nan", b"1_0", b"9" * 400, b"-"])
@pytest.mark.parametrize("field", [14, 15, 22, 24])
def test_odd_number_costs_its_process_alone(field: int, word: bytes, host: Host) -> None:
    host.process(1, b"init", pages=2)
    host.process(5)
    path = host.proc / "5/stat"
    words = path.read_bytes().split()
    words[field - 1] = word
    path.write_bytes(b" ".join(words))
    assert [*host.report()[1]] == ["init"]
    assert host.skips.count == 1


@pytest.mark.parametrize("field", [14, 24])
def test_negative_number_is_never_sent(field: int, host: Host) -> None:
    host.process(5, b"odd", ticks=50, pages=4)
    host.report()
    path = host.proc / "5/stat"
    words = path.read_bytes().split()
    words[field - 1] = b"-7"
    path.write_bytes(b" ".join(words))
    host.report()  # which checks that


def test_process_that_vanishes_costs_nothing(host: Host) -> None:
    host.process(1, b"init")
    for pid in (5, 6, 7):
        (host.proc / str(pid)).mkdir()  # it has ended since it was listed
    (host.proc / "6/stat").mkdir()  # a read fails
    (host.proc / "7/stat").symlink_to(host.proc / "7/stat")  # an open fails
    assert [*host.report()[1]] == ["init"]
    assert host.skips.count == 2
    host.process(5, b"again", pages=4)
    assert [*host.report()[1]] == ["again", "init"]


def test_user_without_a_name_is_a_number(host: Host) -> None:
    host.process(1)
    (host.root / "etc/passwd").write_bytes(b"\xff:::\n\0\nx\n:x:%d:\n" % os.getuid())
    assert host.report()[1]["a"]["user"] == str(os.getuid())


def test_command_lines_are_sent_only_with_the_flag(host: Host) -> None:
    host.process(1, b"init")
    host.process(2, b"kthreadd", pages=2)
    host.process(3, b"long", pages=3)
    (host.proc / "1/cmdline").write_bytes(b"/sbin/init\0--password=a b\n\0\0")
    (host.proc / "2/cmdline").write_bytes(b"")
    (host.proc / "3/cmdline").write_bytes(b"x" * 10_000_000)
    assert {row["command"] for row in host.report()[1].values()} == {""}
    host.values["command-lines"] = True
    commands = {name: row["command"] for name, row in host.report()[1].items()}
    assert commands == {"init": "/sbin/init --password=a b?", "kthreadd": "", "long": "x" * 255}


def test_command_line_that_cannot_be_read_costs_itself_alone(host: Host) -> None:
    host.process(1, b"init")
    host.process(2, b"ended", pages=2)
    (host.proc / "1/cmdline").write_bytes(b"/sbin/init")
    (host.proc / "2/cmdline").mkdir()
    host.values["command-lines"] = True
    commands = {name: row["command"] for name, row in host.report()[1].items()}
    assert commands == {"init": "/sbin/init", "ended": ""}
    assert host.skips.count == 1


def test_boot_time_is_unknown_where_there_is_none(host: Host) -> None:
    host.process(1)
    (host.proc / "stat").write_text("btime x\n", encoding="utf-8")
    assert "start_time" not in host.report()[1]["a"]
    assert host.skips.count == 1


def test_host_without_procfs_has_no_data(host: Host) -> None:
    host.proc = Path("/nothing")
    with pytest.raises(FileNotFoundError):
        host.report()


# --- this machine ---


@pytest.fixture
def busy() -> Iterator[int]:
    """A process that uses all of a core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize("collect", [top_processes.collect, psutil_fallback.collect_processes])
def test_busy_process_of_this_machine_is_found(
    collect: Any, busy: int, this_machine: Sources
) -> None:
    flags = Flags({"count": 5, "command-lines": True})
    sources = this_machine._replace(flags=flags, kept={}, skips=Skips())
    collect(sources)
    time.sleep(1)
    [table] = collect(sources)
    check(table)
    assert 5 <= table.rows <= 10
    place = table.labels["pid"].index(str(busy))
    found = {name: texts[place] for name, texts in table.labels.items()}
    assert found["name"].startswith("python")
    assert "while True" in found["command"]
    values = {name: cells[place] or 0 for name, cells in table.columns.items()}
    assert 0.1 < values["cpu"] < 1.2
    assert abs(values["start_time"] - time.time()) < 60
    assert values["memory"] > 1 << 20
