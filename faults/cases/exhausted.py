"""Descriptors, threads, memory and disk run out, and are there again."""

import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

from support.pages import wait_until
from support.processes import Process, found

from bench.fleets.hostile import FLOODS
from faults.harness.agents import Agent
from faults.harness.exporter import LIMIT_BYTES
from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.settings import Settings
from faults.harness.trial import Trial

_DESCRIPTORS = 40
_CONNECTIONS = 100
_MOST_LINES = 20  # of the log, of one fault

#: Less than the stack of a thread, and more than what the process needs meanwhile.
_ROOM = 6 * 2**20
_FIRST_WRITING = 8.0  # seconds after the start, at the latest, the state file is written

_DISK = 2**20  # bytes


def descriptors(settings: Settings) -> Outcome:
    """Hold more connections than the exporter may have descriptors."""
    prefix = (found("prlimit"), f"--nofile={_DESCRIPTORS}")
    with Trial(settings, interval=1.0, prefix=prefix) as trial:
        trial.begin()
        lines = trial.exporter.log.count("\n")
        with ExitStack() as stack:
            for _ in range(_CONNECTIONS):
                sock = stack.enter_context(socket.socket())
                sock.connect(("127.0.0.1", trial.exporter.port))
            sleep(settings.seconds)
            failed = trial.watch.failed
        ended = monotonic()
        live = trial.live_again(ended)
        written = trial.exporter.log.count("\n") - lines
        if written > _MOST_LINES:
            raise BrokenRuleError(f"{written} lines in the log")
        outcome = trial.outcome(
            f"{_CONNECTIONS} idle connections for {settings.seconds:g} s, of an exporter that may "
            f"have {_DESCRIPTORS} descriptors",
            live,
        )
        _nothing_dropped(trial)
        outcome.found += [f"scrapes that failed: {failed}", f"lines in the log: {written}"]
        return outcome


def _nothing_dropped(trial: Trial) -> None:
    """Check that each datagram of the fleet was received."""
    received = trial.watch.page().counted("datagrams_received_total")
    if received != trial.fleet.datagrams:
        raise BrokenRuleError(f"received {received:,} of {trial.fleet.datagrams:,}")


def threads(settings: Settings) -> Outcome:
    """Let neither the exporter nor an agent start a thread for a while."""
    with Trial(settings, hosts=min(100, settings.hosts), interval=1.0) as trial:
        agent = Agent(trial, 0)
        trial.begin()
        wait_until(trial.watch.page, lambda page: page.is_live_named(agent.name), "the agent")
        processes = (trial.exporter, agent.process)
        for process in processes:
            _bound(process, _ROOM)
        wait_until(
            trial.watch.page,
            lambda page: page.counted("state_write_errors_total") > 0,
            "a state file that cannot be written",
            within=_FIRST_WRITING + 30,
        )
        sleep(settings.seconds / 2)
        for process in processes:
            _unbound(process)
        ended = monotonic()
        live = trial.live_again(ended)
        wait_until(
            trial.watch.page,
            lambda page: page.is_live_named(agent.name),
            "the agent again",
            within=3 * trial.fleet.interval,
        )
        if trial.exporter.get().count(agent.line()) != 1:
            raise BrokenRuleError("the total of the agent is not on the page")
        page = trial.watch.page()
        outcome = trial.outcome(
            f"no room for the stack of a thread, in the exporter and in a real agent, for "
            f"{settings.seconds / 2:g} s and more",
            live,
        )
        errors = page.counted("state_write_errors_total")
        outcome.found.append(f"failed writings of the state file, counted: {errors}")
        trial.end()
        if not (trial.folder / "state").exists():
            raise BrokenRuleError("no state file at the end")
        outcome.found.append("written at the end")
        return outcome


def _bound(process: Process, room: int) -> None:
    """Bound a process to the address space that it has now, and some room."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[0])
    size = pages * resource.getpagesize() + room
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_AS)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (size, hard))


def _unbound(process: Process) -> None:
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_AS)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (hard, hard))


def memory(settings: Settings) -> Outcome:
    """Fill the memory that ``--limit.bytes`` allows with what strangers send in plain."""
    with Trial(settings, interval=1.0, require_sealed=False) as trial:
        trial.watch.expect_strangers()
        trial.begin()
        path, count = trial.folder / "plain", 0
        with path.open("w", encoding="ascii") as file:
            for name in ("rows", "labels", "columns", "names", "fourth line"):
                for number in range(400):
                    for datagram in FLOODS[name](number + 1000 * (count + 1)):
                        file.write(f"{name}\t{datagram.hex()}\n")
                count += 1
        rate = max(500, settings.flood // 25)
        command = [sys.executable, "-m", "faults.programs.flood", f"--port={trial.exporter.port}"]
        command += [f"--file={path}", f"--rate={rate}", f"--seconds={settings.seconds}"]
        flood = trial.kept(Process(command, trial.folder / "flood.log"))
        if flood.ended(within=settings.seconds + 60):
            raise BrokenRuleError(flood.log)
        live = trial.live_again(monotonic())
        page = trial.watch.page()
        refused = page.refused
        if not refused.get("bytes_limit"):
            raise BrokenRuleError(f"the limit was not reached: {refused}")
        stored = page.counted("stored_bytes")
        if stored > LIMIT_BYTES:
            raise BrokenRuleError(f"{stored} bytes stored")
        outcome = trial.outcome(
            f"{rate:,} plain datagrams a second of invented hosts, each made to take much memory, "
            f"for {settings.seconds:g} s",
            live,
            refused=", ".join(f"{n:,} `{name}`" for name, n in sorted(refused.items())),
        )
        outcome.found.append(
            f"{stored / 2**20:.1f} MiB stored, of {LIMIT_BYTES / 2**20:.0f} with `--limit.bytes`"
        )
        return outcome


def disk(settings: Settings) -> Outcome:
    """Fill the disk of the state file, before its first writing and at the end."""
    with ExitStack() as stack:
        folder = stack.enter_context(_disk())
        state = folder / "state"
        trial = stack.enter_context(Trial(settings, interval=1.0, state=state))
        full = folder / "full"
        _fill(full)
        trial.begin()
        wait_until(
            trial.watch.page,
            lambda page: page.counted("state_write_errors_total") > 0,
            "a state file that cannot be written",
            within=_FIRST_WRITING + 30,
        )
        if state.exists():
            raise BrokenRuleError("a file on a full disk")
        full.unlink()
        trial.end()
        before = state.read_bytes()
        trial.restart()
        lives = [trial.live_again(monotonic())]
        _fill(full)
        trial.end()
        if state.read_bytes() != before:
            raise BrokenRuleError("a full disk changed the state file")
        trial.restart()
        known = trial.watch.page()
        restored = sum(known.of(host, "up") is not None for host in trial.hosts)
        if restored != len(trial.hosts):
            raise BrokenRuleError(f"{restored} hosts of the state file are known")
        lives.append(trial.live_again(monotonic()))
        full.unlink()
        outcome = trial.outcome(
            f"the disk of the state file full at its first writing, and at the end of an exporter "
            f"with {len(trial.hosts)} hosts",
            "; ".join(lives),
        )
        outcome.found.append(f"the old file stayed whole: {restored} hosts restored of it")
        return outcome


@contextmanager
def _disk() -> Iterator[Path]:
    """Mount a small file system in memory, and yield its folder."""
    with tempfile.TemporaryDirectory(prefix="pombo-faults-") as folder:
        mount = [found("mount"), "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", folder]
        subprocess.run(mount, check=True, timeout=10)
        try:
            yield Path(folder)
        finally:
            subprocess.run([found("umount"), "--lazy", folder], check=True, timeout=10)


def _fill(path: Path) -> None:
    """Write to a file until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return
