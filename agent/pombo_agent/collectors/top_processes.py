"""The processes that use most CPU time and most memory.

To read all processes would take a millisecond of CPU for each hundred. So a report reads those that
were shown in the last one, those that are new, and a twelfth of the others, in turn.
"""

import os
import re
import time
from collections.abc import Iterable
from typing import NamedTuple

from pombo_wire.limits import MAX_PROCESSES
from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import number, switch
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, clean, table

# How many processes are read in one report, besides those that are shown: of those that are new,
# of all in each of the first two reports, and of the others in turn.
MOST_NEW, MOST_FIRST = 64, 1024
TURNS, FEWEST_IN_TURN, MOST_IN_TURN = 12, 10, 96

# To list them takes the kernel as long as to read a tenth of them. So they are listed in each
# second report, and more than a thousand less often: so many in a report, on average.
_LISTED_EACH, LISTED = 2, 512

#: The most processes that are followed. Each takes some 200 bytes of memory.
MOST_FOLLOWED = 4096

#: For each process that is shown, so many are ready to take its place when it has ended.
_SPARE = 3

#: Reports after which names of users and the boot time are read again, since they may change.
_REFRESH = 60

_COMMAND_BYTES = 4096

# The fields of /proc/PID/stat after the name, see proc(5).
_USER_TICKS, _SYSTEM_TICKS, _START, _PAGES = 11, 12, 19, 21

_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")


class Process(NamedTuple):
    """A process as it was read.

    ``start`` is in ticks since boot, ``cpu`` the share of one core, or ``None`` where it is
    unknown, and ``memory`` in bytes.
    """

    pid: int
    start: float
    name: bytes
    cpu: float | None
    memory: float


class _Seen(NamedTuple):
    """When a process started and its CPU time, in ticks, and when that was read, in seconds."""

    start: float
    ticks: float
    at: float


class _Processes:
    """The processes that are followed, and whose turn it is to be read."""

    def __init__(self) -> None:
        self.followed: dict[int, _Seen | None] = {}  # None where it cannot be read
        self.spare: dict[int, Process] = {}  # the first by CPU and by memory, as last read
        self.shown: list[int] = []
        self.reports = 0
        self._at = 0.0  # of the last report
        self._new: list[int] = []
        self._turn: list[int] = []
        self._listed_for = 0  # reports
        self._per_second = os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._boot_time: float | None = None
        self._users: dict[int, str] = {}

    def begin(self, sources: Sources) -> list[int]:
        """Begin a report: list the processes if that is due, and return those to read first."""
        if self.reports % _REFRESH == 0:
            self._boot_time = _boot_time(sources)
            self._users.clear()
        self._listed_for -= 1
        if self._listed_for <= 0:
            self._list(sources)
        room = MOST_FOLLOWED - len(self.followed)
        most = min(MOST_NEW if self.reports else MOST_FIRST, room)
        new = [self._new.pop() for _ in range(min(most, len(self._new)))]
        if not self._turn:
            self._turn = [*self.followed]
        count = min(max(len(self.followed) // TURNS, FEWEST_IN_TURN), MOST_IN_TURN)
        if self.reports == 1:  # the first in which a share of CPU can be known
            count = MOST_FIRST
        turn = [self._turn.pop() for _ in range(min(count, len(self._turn)))]
        return [*dict.fromkeys((*self.shown, *new, *(pid for pid in turn if pid in self.followed)))]

    def _list(self, sources: Sources) -> None:
        pids = [int(name) for name in os.listdir(sources.procfs) if name.isdecimal()]
        self._listed_for = max(_LISTED_EACH, -(-len(pids) // LISTED))
        followed = self.followed
        self._new = [pid for pid in pids if pid not in followed]
        if len(followed) + len(self._new) > len(pids):  # some have ended
            followed = {pid: followed[pid] for pid in pids if pid in followed}
            self.spare = {pid: each for pid, each in self.spare.items() if pid in followed}
            self.followed = followed

    def read(self, sources: Sources, pid: int) -> Process | None:
        """Read a process; return ``None`` where it has ended or cannot be read."""
        before = self.followed.get(pid)
        self.followed[pid] = None
        file = sources.optional(f"{sources.procfs}/{pid}/stat")
        if file is None:
            return None
        now = time.monotonic()
        # A name may have spaces, parentheses and line feeds.
        head, parenthesis, rest = file.data.rpartition(b")")
        fields = rest.split(None, _PAGES + 1)
        if not parenthesis or len(fields) <= _PAGES:
            file.skip("line", file.data)
            return None
        found = file.numbers([fields[at] for at in (_USER_TICKS, _SYSTEM_TICKS, _START, _PAGES)])
        user, system, start, pages = found
        if user is None or system is None or start is None or pages is None:
            return None
        seen = self.followed[pid] = _Seen(start, user + system, now)
        same = before if before and before.start == start else None
        name = head.partition(b"(")[2]
        return Process(pid, start, name, self._cpu(same, seen), pages * self._page_bytes)

    def _cpu(self, before: _Seen | None, seen: _Seen) -> float | None:
        """Return the share of one core since a process was read before, or since it started."""
        if before:
            ticks, seconds = seen.ticks - before.ticks, seen.at - before.at
        elif self.reports:
            age = time.clock_gettime(time.CLOCK_BOOTTIME) - seen.start / self._per_second
            ticks, seconds = seen.ticks, max(age, seen.at - self._at)
        else:
            return None
        return max(0.0, round(ticks / self._per_second / seconds, 3)) if seconds > 0 else None

    def end(self, spare: dict[int, Process], shown: list[int], at: float) -> None:
        """End the report that began at ``at``, on the monotonic clock."""
        self.spare, self.shown, self._at = spare, shown, at
        self.reports += 1

    def row(self, sources: Sources, process: Process) -> Row:
        """Return the row of a process."""
        boot = self._boot_time
        commands = sources.flags.switch("command-lines")
        return {
            "pid": str(process.pid),
            "name": printable(process.name),
            "user": self._user(sources, process.pid),
            "command": _command(sources, process.pid) if commands else None,
            "start_time": None if boot is None else boot + process.start // self._per_second,
            "cpu": process.cpu,
            "memory": process.memory,
        }

    def _user(self, sources: Sources, pid: int) -> str:
        """Return the name of the user of a process, or the number of one without a name."""
        path = f"{sources.procfs}/{pid}"
        try:
            uid = os.stat(path).st_uid
        except OSError as error:
            sources.skip_unreadable(error, path)
            return ""
        if uid not in self._users:
            self._users[uid] = _user_name(sources, uid)
        return self._users[uid]


def collect(sources: Sources) -> list[Section]:
    """Return the table of processes.

    The CPU time of the first report is unknown. What is shown is read in this report. A process is
    missing while its turn to be read has not come since it began to use more.
    """
    known: _Processes = sources.kept.get("processes") or _Processes()
    sources.kept["processes"] = known
    start = time.monotonic()
    due = known.begin(sources)
    count = sources.flags.number("count")
    read: dict[int, Process] = {}
    while True:
        for pid in due:
            found = known.read(sources, pid)
            if found:
                read[pid] = found
            else:
                known.spare.pop(pid, None)
        by_cpu, by_memory = ranked({**known.spare, **read}.values(), count * (1 + _SPARE))
        shown = {each.pid: each for each in (*by_cpu[:count], *by_memory[:count])}
        due = [pid for pid in shown if pid not in read]
        if not due:  # else some that are ready take the place of others, and may have changed
            break
    known.end({each.pid: each for each in (*by_cpu, *by_memory)}, [*shown], start)
    return table("processes", [known.row(sources, each) for each in shown.values()])


def ranked(processes: Iterable[Process], count: int) -> tuple[list[Process], list[Process]]:
    """Return the ``count`` processes with most CPU time, and those with most memory.

    Those that use none are left out.
    """
    found = [*processes]
    by_cpu = sorted((each for each in found if each.cpu), key=_cpu, reverse=True)
    by_memory = sorted((each for each in found if each.memory > 0), key=_memory, reverse=True)
    return by_cpu[:count], by_memory[:count]


def _cpu(process: Process) -> float:
    return process.cpu or 0.0


def _memory(process: Process) -> float:
    return process.memory


def printable(text: bytes | str) -> str:
    """Return a name or a command line with a question mark for each control character."""
    return _CONTROL.sub("?", clean(text))


def _command(sources: Sources, pid: int) -> str:
    """Return the command line of a process, which kernel threads do not have."""
    path = f"{sources.procfs}/{pid}/cmdline"
    try:
        # It may have megabytes, and only its begin is sent.
        with open(path, "rb", buffering=0) as file:
            data = file.read(_COMMAND_BYTES) or b""
    except OSError as error:
        sources.skip_unreadable(error, path)
        return ""
    return printable(data.rstrip(b"\0").replace(b"\0", b" "))


def _user_name(sources: Sources, uid: int) -> str:
    """Return the name that ``/etc/passwd`` of the host has for a user, or else the number."""
    number = b"%d" % uid
    file = sources.optional(f"{sources.rootfs}/etc/passwd")
    for line in file.lines() if file else ():
        fields = line.split(b":")
        if fields[2:3] == [number] and fields[0]:
            return printable(fields[0])
    return str(uid)


def _boot_time(sources: Sources) -> float | None:
    """Return when the host booted, in Unix seconds."""
    file = sources.optional(f"{sources.procfs}/stat")
    for words in file.words() if file else ():
        if words[0] == b"btime" and len(words) > 1 and file:
            return file.number(words[1])
    return None


FLAGS = (
    number("count", 5, MAX_PROCESSES // 2, "How many processes to report by CPU, and by memory."),
    switch(
        "command-lines",
        "Report command lines, which may contain secrets, besides the names of processes.",
    ),
)
COLLECTORS = [Collector("top-processes", collect, flags=FLAGS)]
