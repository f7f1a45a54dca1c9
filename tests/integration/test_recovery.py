"""Agents that are heard again after what may happen to them, to exporters and to clocks."""

import json
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.dialogue import Dialogue
from pombo_agent.transport.key import read_key
from support.pages import Page, wait_until
from support.processes import BIN, ROOT, Exporter, Launcher, Process, free_port
from support.sealing import KeyFiles

NAME = "pi"
SECONDS = 0.5  # between two reports
TIMEOUT = 10
DOWN_WITHIN = 5 * SECONDS
PROBE_SECONDS = 30
BUSY = 4  # seconds more, for a busy machine

DAY = 86_400

_ANSWER_BYTES = 100  # more than an answer has


def is_up(page: Page) -> bool:
    return page.value("pombo_host_up", instance=NAME) == 1


def is_down(page: Page) -> bool:
    return page.value("pombo_host_up", instance=NAME) == 0


@pytest.fixture
def keys(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path)


class Site:
    """Exporters with the keys of one fleet, and an agent that seals."""

    def __init__(self, start: Launcher, keys: KeyFiles, folder: Path) -> None:
        self.start, self.keys, self.folder = start, keys, folder

    def exporter(self, *flags: str, port: int | None = None) -> Exporter:
        return self.start.exporter(f"--seal.key-file={self.keys.fleet}", *flags, port=port)

    def agent(self, *exporters: Exporter, flags: tuple[str, ...] = ()) -> Process:
        return self.start.program(str(BIN / "pombo-agent"), *self.flags(*exporters), *flags)

    def flags(self, *exporters: Exporter) -> list[str]:
        servers = [f"--server={exporter.target}" for exporter in exporters]
        interval = f"--interval={round(SECONDS * 1000)}ms"
        return [*servers, f"--key-file={self.keys.of_host(NAME)}", interval]


@pytest.fixture
def site(start: Launcher, keys: KeyFiles, tmp_path: Path) -> Site:
    return Site(start, keys, tmp_path)


def lines(process: Process, message: str) -> list[str]:
    """Return the log lines of a process with this message."""
    return [line for line in process.log.splitlines() if f'msg="{message}"' in line]


# --- agents and exporters that are killed ---


def test_agent_that_was_killed_is_heard_once_its_predecessor_is_silent(site: Site) -> None:
    exporter = site.exporter()
    agent = site.agent(exporter)
    for _ in range(3):
        wait_until(exporter.page, is_up, "the agent")
        wait_until(lambda: agent.log, lambda log: "exporter answers" in log, "an answer")  # noqa: B023
        agent.kill()
        agent = site.agent(exporter)
        took = wait_until(
            lambda: lines(agent, "exporter answers"),  # noqa: B023
            bool,
            "an accepted report of the next agent",
            4 * SECONDS + BUSY,
        )
        assert len(took) == 1
    assert not lines(agent, "another agent reports under this name")
    page = exporter.page()
    assert page.value("pombo_host_conflicts_total", instance=NAME) == 0
    assert page.value("pombo_exporter_holder_changes_total") == 3


@pytest.mark.parametrize("with_state", [False, True])
def test_exporter_that_was_killed_hears_the_agent_again(site: Site, *, with_state: bool) -> None:
    flags = (f"--state.file={site.folder / 'state'}",) if with_state else ()
    exporter = site.exporter(*flags)
    agent = site.agent(exporter)
    wait_until(exporter.page, is_up, "the agent")
    for _ in range(3):
        exporter.kill()
        wait_until(lambda: lines(agent, "send failed"), bool, "a refused datagram")
        exporter = site.exporter(*flags, port=exporter.port)
        wait_until(exporter.page, is_up, "the agent", 4 * SECONDS + BUSY)
    page = exporter.page()
    assert page.value("pombo_exporter_holder_changes_total") == 0
    for reason in ("conflict", "unproven", "replayed", "bad_seal"):
        refused = "pombo_exporter_datagrams_refused_total"
        assert exporter.counted(refused, reason=reason) == 0
    assert len(lines(agent, "send failed")) == 1, "one line in an hour"
    assert len(lines(agent, "exporter answers")) == 1


# --- silence ---


@pytest.mark.slow
def test_agent_logs_once_that_it_is_heard_no_more_and_once_that_it_is_again(site: Site) -> None:
    exporter = site.exporter()
    agent = site.agent(exporter)
    [heard] = wait_until(lambda: lines(agent, "exporter answers"), bool, "an answer")
    assert f"server={exporter.target}" in heard
    assert re.search(r"heard_from=127\.0\.0\.1:\d+$", heard)
    for count in (1, 2):
        exporter.send_signal(signal.SIGSTOP)
        missed = wait_until(
            lambda: lines(agent, "exporter does not answer"),
            lambda found: len(found) == count,  # noqa: B023
            "a line",
            TIMEOUT + 2 * SECONDS + BUSY,
        )
        assert 'trying="a new socket and lookup"' in missed[-1]
        exporter.send_signal(signal.SIGCONT)
        wait_until(
            lambda: lines(agent, "exporter answers again"),
            lambda found: len(found) == count,  # noqa: B023
            "a line",
        )
    assert len(lines(agent, "exporter answers")) == 1


def test_agent_says_at_its_start_whether_it_will_know(site: Site) -> None:
    exporter = site.exporter()
    sealed, one_way = site.agent(exporter), site.agent(exporter, flags=("--one-way",))
    plain = site.start.agent("plain", exporter)
    for agent, expected in (
        (sealed, "answers=expected"),
        (one_way, 'answers="none, with --one-way"'),
        (plain, 'answers="none, without --key-file"'),
    ):
        [line] = wait_until(lambda: lines(agent, "agent started"), bool, "its first line")  # noqa: B023
        assert expected in line


def test_plain_agent_logs_that_its_datagrams_are_refused(start: Launcher) -> None:
    port = free_port()
    agent = start.agent("plain", f"127.0.0.1:{port}", interval="100ms")
    [line] = wait_until(lambda: lines(agent, "send failed"), bool, "a refused datagram")
    assert f"server=127.0.0.1:{port}" in line
    assert "Connection refused" in line
    exporter = start.exporter(port=port)
    received = "pombo_host_datagrams_received_total"
    wait_until(
        exporter.page,
        lambda page: (page.value(received, instance="plain") or 0) > 10,
        "more reports",
    )
    assert len(lines(agent, "send failed")) == 1


# --- several servers ---


@pytest.mark.slow
def test_agent_reports_to_the_next_server_and_to_the_first_one_again(site: Site) -> None:
    first, second = site.exporter(), site.exporter()
    agent = site.agent(first, second, flags=("--server-mode=failover",))
    wait_until(first.page, is_up, "the first server")
    assert "mode=failover" in agent.log
    first.send_signal(signal.SIGSTOP)
    wait_until(second.page, is_up, "the second server", TIMEOUT + 2 * SECONDS + BUSY)
    assert second.page().value("node_load1", instance=NAME) is not None
    first.send_signal(signal.SIGCONT)
    wait_until(first.page, is_down, "the silence at the first server", DOWN_WITHIN + BUSY)
    wait_until(first.page, is_up, "the first server again", PROBE_SECONDS + 2 * SECONDS + BUSY)
    page = wait_until(
        second.page,
        lambda page: page.value("pombo_host_up", instance=NAME) is None,
        "the bye at the second server",
    )
    assert page.value("pombo_exporter_holder_changes_total") == 0
    page = first.page()
    assert page.value("pombo_exporter_holder_changes_total") == 0
    assert page.value("pombo_host_conflicts_total", instance=NAME) == 0
    changes = lines(agent, "reports go to another exporter")
    assert [re.findall(r"(?:server|instead_of)=(\S+)", line) for line in changes] == [
        [second.target, first.target],
        [first.target, second.target],
    ]
    agent.end()
    wait_until(
        first.page,
        lambda page: page.value("pombo_host_up", instance=NAME) is None,
        "the bye at the server in use",
    )


def test_agent_starts_with_the_second_server_where_the_first_is_absent(site: Site) -> None:
    first, second = site.exporter(), site.exporter()
    first.kill()
    site.agent(first, second, flags=("--server-mode=failover",))
    wait_until(second.page, is_up, "the second server", TIMEOUT + 2 * SECONDS + BUSY)


# --- a system that was suspended ---


def salt_of(datagram: bytes) -> bytes:
    return datagram[6:22]


@pytest.fixture
def tap() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(15)
        yield sock


def test_agent_has_other_salts_after_its_system_was_suspended(
    site: Site, tap: socket.socket
) -> None:
    exporter = site.exporter()
    suspended = site.folder / "suspended"
    suspended.write_text("0")
    server = f"--server=127.0.0.1:{tap.getsockname()[1]}"
    command = [sys.executable, "-m", "support.suspended_agent", str(suspended)]
    agent = site.start.program(
        *command, *site.flags(exporter), server, env={"PYTHONPATH": str(ROOT / "tests")}
    )
    wait_until(lambda: lines(agent, "exporter answers"), bool, "an answer")
    before = salt_of(tap.recv(2048))
    suspended.write_text("3600")
    [line] = wait_until(lambda: lines(agent, "the system was suspended"), bool, "a line")
    assert "seconds=3600.0" in line
    wait_until(lambda: salt_of(tap.recv(2048)), lambda salt: salt != before, "another salt")
    name = "pombo_exporter_holder_changes_total"
    wait_until(exporter.page, lambda page: page.value(name) == 1, "the other salt")
    wait_until(lambda: lines(agent, "exporter answers again"), bool, "an answer")
    assert is_up(exporter.page())
    assert exporter.page().value("pombo_host_datagrams_lost_total", instance=NAME) == 0
    assert not lines(agent, "another agent reports under this name")
    assert len(lines(agent, "the system was suspended")) == 1


def test_plain_agent_keeps_its_session_after_its_system_was_suspended(
    start: Launcher, tap: socket.socket, tmp_path: Path
) -> None:
    suspended = tmp_path / "suspended"
    suspended.write_text("0")
    server = f"--server=127.0.0.1:{tap.getsockname()[1]}"
    command = [sys.executable, "-m", "support.suspended_agent", str(suspended)]
    agent = start.program(
        *command, server, "--interval=200ms", "--wire=json", env={"PYTHONPATH": str(ROOT / "tests")}
    )
    first = json.loads(tap.recv(2048))
    suspended.write_text("3600")
    wait_until(lambda: lines(agent, "the system was suspended"), bool, "a line")
    seen, logged_at = [first], time.time()
    while seen[-1]["time"] < logged_at:
        seen.append(json.loads(tap.recv(2048)))
    assert {each["session"] for each in seen} == {first["session"]}
    assert [each["seq"] for each in seen] == [*range(first["seq"], first["seq"] + len(seen))]


# --- clocks ---


class ClockedAgent:
    """What an agent sends, sealed or in plain, when its clock is wrong by ``ahead`` seconds."""

    def __init__(self, exporter: Exporter, key_file: Path | None, ahead: float) -> None:
        self.ahead = ahead
        self._session = time.time_ns() + round(ahead * 1e9)
        self._seq = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", exporter.port))
        self._socket.settimeout(0)
        key = None if key_file is None else read_key(str(key_file))
        self._dialogue = None if key is None else Dialogue(CRYPTO, key, SECONDS)

    def report(self) -> None:
        """Read what has been answered, and send a report with a gauge."""
        now, ticks = time.time() + self.ahead, time.monotonic()
        times = f'"time":{now},"monotonic":{ticks},"interval":{SECONDS},"parts":1'
        said = f'"session":{self._session},{times},"gauges":{{"clocked":{self.ahead}}}}}'
        if self._dialogue is None:
            self._send(f'{{"host":"{NAME}","seq":{self._seq},{said}'.encode())
            self._seq += 1
            return
        with suppress(OSError):  # none waits, or the exporter starts
            while self._dialogue.read(self._socket.recv(_ANSWER_BYTES)) is None:
                pass
        for datagram in self._dialogue.seal([f"{{{said}".encode()]):
            self._send(datagram)

    def _send(self, datagram: bytes) -> None:
        with suppress(OSError):  # of an exporter that starts
            self._socket.send(datagram)

    def close(self) -> None:
        """Stop as after SIGKILL: without a bye."""
        self._socket.close()


Clocked = Callable[[Exporter, float], ClockedAgent]


@pytest.fixture(params=["sealed", "plain"])
def clocked(request: pytest.FixtureRequest, keys: KeyFiles) -> Iterator[Clocked]:
    """Return what starts agents with wrong clocks, which seal or not."""
    made = []

    def start(exporter: Exporter, ahead: float) -> ClockedAgent:
        key_file = keys.of_host(NAME) if request.param == "sealed" else None
        made.append(ClockedAgent(exporter, key_file, ahead))
        return made[-1]

    yield start
    for each in made:
        each.close()


def wait_for(exporter: Exporter, agent: ClockedAgent, reports: int) -> None:
    """Wait until the exporter shows what this agent says, for so many reports at most."""

    def reported() -> float | None:
        agent.report()
        return exporter.page().value("clocked", instance=NAME)

    within = reports * SECONDS + BUSY
    wait_until(reported, lambda value: value == agent.ahead, "its reports", within, SECONDS)


@pytest.mark.parametrize("ahead", [DAY, -DAY])
def test_clock_that_is_wrong_by_a_day_keeps_no_agent_out(
    ahead: float, site: Site, clocked: Clocked
) -> None:
    exporter = site.exporter(f"--state.file={site.folder / 'state'}")
    right = clocked(exporter, 0)
    wait_for(exporter, right, 2)
    wait_for(exporter, right, 2)  # with the challenge
    wrong = clocked(exporter, ahead)
    wait_for(exporter, wrong, 6)  # once the name is free; an older session once the host is down
    offset = exporter.page().value("pombo_host_clock_offset_seconds", instance=NAME)
    assert offset == pytest.approx(ahead, abs=60)
    wrong.ahead = 0.25  # it is set right while the agent runs
    wait_for(exporter, wrong, 2)
    again = clocked(exporter, 0)  # starts after that
    wait_for(exporter, again, 6)


@pytest.mark.parametrize("ahead", [DAY, -DAY])
def test_exporter_that_was_killed_hears_agents_whose_clocks_are_wrong(
    ahead: float, site: Site, clocked: Clocked
) -> None:
    state = f"--state.file={site.folder / 'state'}"
    exporter = site.exporter(state)
    agent = clocked(exporter, ahead)
    for _ in range(3):
        wait_for(exporter, agent, 2)
    exporter.kill()
    exporter = site.exporter(state, port=exporter.port)
    wait_for(exporter, agent, 3)
    exporter.end()
    exporter = site.exporter(state, port=exporter.port)
    wait_for(exporter, agent, 3)
