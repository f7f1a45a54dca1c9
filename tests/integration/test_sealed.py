"""Sealed reports: real keys, agents and exporters; what an attacker on the path sees and can do."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.pages import wait_until
from support.processes import BIN, Exporter, Launcher, Process
from support.sealing import printed

NAME = "sealed-host"
SECONDS = 0.5  # between reports


class Tap:
    """Carries datagrams between one agent and an exporter, and keeps them."""

    def __init__(self, port: int) -> None:
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self._agents = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._agents.bind(("127.0.0.1", 0))
        self._exporter = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._exporter.connect(("127.0.0.1", port))
        self._exporter.settimeout(0)  # an error that made it readable may be gone
        self.port: int = self._agents.getsockname()[1]
        self._is_open = True
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self) -> None:
        agent: Any = None
        while self._is_open:
            readable, _, _ = select.select([self._agents, self._exporter], [], [], 0.05)
            if self._agents in readable:
                datagram, agent = self._agents.recvfrom(2048)
                self.up.append(datagram)
                with suppress(OSError):  # the exporter starts again
                    self._exporter.send(datagram)
            if self._exporter in readable:
                with suppress(OSError):
                    self.down.append(self._exporter.recv(2048))
                    self._agents.sendto(self.down[-1], agent)

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the exporter, from the address of the agent's ones."""
        self._exporter.send(datagram)

    def close(self) -> None:
        self._is_open = False
        self._thread.join()
        self._agents.close()
        self._exporter.close()


class Fleet:
    """An exporter with a key file, an agent with the key of its host, and a tap between both."""

    def __init__(self, start: Launcher, folder: Path, *flags: str) -> None:
        self._start = start
        self.keys, self.key = folder / "keys", folder / "host.key"
        printed("keygen", self.keys)
        self.key.write_text(printed("enroll", NAME, f"--seal.key-file={self.keys}", "--format=key"))
        self.key.chmod(0o600)
        self._flags = (f"--seal.key-file={self.keys}", *flags)
        self.exporter: Exporter = start.exporter(*self._flags)
        self.tap = Tap(self.exporter.port)
        self.agent = self.start_agent()
        wait_until(self.exporter.page, is_up, "the sealed host")

    def start_exporter(self) -> None:
        """Start the exporter again, with the same flags and port."""
        self.exporter = self._start.exporter(*self._flags, port=self.exporter.port)

    def start_agent(self, *flags: str) -> Process:
        return self._start.kept(
            Process(
                [
                    str(BIN / "pombo-agent"),
                    f"--server=127.0.0.1:{self.tap.port}",
                    f"--key-file={self.key}",
                    f"--interval={round(SECONDS * 1000)}ms",
                    "--label=secret=label",
                    *flags,
                ],
                self.key.with_suffix(f".{len(flags)}.log"),
            )
        )

    def refused(self, reason: str) -> int:
        return self.exporter.counted("pombo_exporter_datagrams_refused_total", reason=reason)


def is_up(page: Any) -> bool:
    return bool(page.value("pombo_host_up", instance=NAME) == 1)


@pytest.fixture
def fleet(start: Launcher, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(start, tmp_path)
    yield made
    made.tap.close()


def test_capture_shows_no_metric_and_no_label(fleet: Fleet) -> None:
    wait_until(lambda: len(fleet.tap.up), lambda count: count > 3, "four datagrams")
    captured = b"".join(fleet.tap.up)
    assert NAME.encode() in captured
    for secret in (b"secret", b"cpu", b"node_", b"mountpoint", b'"session"', os.uname().release):
        text = secret.encode() if isinstance(secret, str) else secret
        assert text not in captured
    assert all(datagram[0] == 0xB1 for datagram in fleet.tap.up)
    assert fleet.exporter.page().value("node_load1", instance=NAME) is not None


def test_agent_logs_once_that_it_is_heard_and_is_proven(fleet: Fleet) -> None:
    wait_until(lambda: len(fleet.tap.up), lambda count: count > 8, "nine datagrams")
    assert fleet.agent.log.count("exporter answers") == 1
    assert "heard_from=127.0.0.1:" in fleet.agent.log
    answers, reports = [*fleet.tap.down], [*fleet.tap.up]
    seconds = SECONDS * len(reports) + 1
    assert 2 <= len(answers) <= seconds, "each report asks, and one is answered in a second"
    assert all(len(answer) == 70 for answer in answers)


def test_recorded_and_changed_datagrams_are_refused(fleet: Fleet) -> None:
    recorded = fleet.tap.up[-1]
    fleet.tap.send(recorded)
    wait_until(lambda: fleet.refused("replayed"), lambda count: count == 1, "the replay")
    answered = len(fleet.tap.down)
    changed = recorded[:-1] + bytes((recorded[-1] ^ 1,))
    fleet.tap.send(changed)
    wait_until(lambda: fleet.refused("bad_seal"), lambda count: count == 1, "the changed one")
    unknown = recorded[:1] + b"none" + recorded[5:]
    fleet.tap.send(unknown)
    wait_until(lambda: fleet.refused("unknown_key"), lambda count: count == 1, "the other key")
    fleet.tap.send(b'{"host":"sealed-host","gauges":{"x":1}}')
    wait_until(lambda: fleet.refused("plain_of_sealed"), lambda count: count == 1, "the plain one")
    assert len(fleet.tap.down) <= answered + 1, "a stranger is not answered"
    assert is_up(fleet.exporter.page())
    assert fleet.exporter.page().value("x", instance=NAME) is None


def test_denied_host_loses_its_values_at_the_signal(fleet: Fleet) -> None:
    with fleet.keys.open("a") as file:
        file.write(f"deny {NAME}\n")
    fleet.exporter.send_signal(signal.SIGHUP)
    wait_until(
        lambda: fleet.exporter.page().measured(NAME), lambda names: not names, "no value of it"
    )
    wait_until(lambda: fleet.refused("revoked"), lambda count: count > 0, "a refusal")


def test_broken_key_file_changes_nothing(fleet: Fleet) -> None:
    with fleet.keys.open("a") as file:
        file.write("key pfk1_broken\n")
    fleet.exporter.send_signal(signal.SIGHUP)
    wait_until(lambda: fleet.exporter.log, lambda log: "key file not used" in log, "a line")
    count = len(fleet.tap.up)
    wait_until(lambda: len(fleet.tap.up), lambda now: now > count + 2, "more reports")
    assert is_up(fleet.exporter.page())
    assert fleet.exporter.counted("pombo_exporter_seal_reload_successful") == 0
    assert "line 4: not a fleet key" in fleet.exporter.log


def checked(fleet: Fleet, *servers: str) -> "subprocess.CompletedProcess[str]":
    command: list[str | Path] = [
        BIN / "pombo-agent",
        "check",
        f"--key-file={fleet.key}",
        "--timeout=2s",
        "--probes=20",
    ]
    servers_given = [f"--server={server}" for server in servers]
    return subprocess.run(
        [*command, *servers_given], check=False, capture_output=True, text=True, timeout=60
    )


def test_check_says_whether_exporters_hear_the_host_and_changes_nothing(fleet: Fleet) -> None:
    before = fleet.exporter.page()
    heard = checked(fleet, fleet.exporter.target)
    assert heard.returncode == 0, heard.stderr
    assert f"hears '{NAME}' as 127.0.0.1:" in heard.stdout
    assert "the exporter's clock is 0.0" in heard.stdout
    after = fleet.exporter.page()
    name = "pombo_exporter_holder_changes_total"
    assert before.value(name) == after.value(name) == 0
    assert is_up(after)
    with fleet.keys.open("a") as file:
        file.write(f"deny {NAME}\n")
    fleet.exporter.send_signal(signal.SIGHUP)
    wait_until(lambda: fleet.refused("revoked"), lambda count: count > 0, "a refusal")
    denied = checked(fleet, fleet.exporter.target, "no-such-name.invalid")
    assert denied.returncode == 1
    assert f"the exporter refuses the key of '{NAME}' as revoked" in denied.stdout
    assert re.search(r"✗ address +no-such-name\.invalid: ", denied.stdout)


def test_agent_that_starts_again_is_heard_after_its_bye(fleet: Fleet) -> None:
    fleet.agent.end()
    wait_until(fleet.exporter.page, lambda page: not is_up(page), "its bye")
    fleet.start_agent("--log.level=debug")
    wait_until(fleet.exporter.page, is_up, "the new session", within=4 * SECONDS + 5)


def test_exporter_that_starts_again_hears_the_agent(fleet: Fleet, start: Launcher) -> None:
    port = fleet.exporter.port
    fleet.exporter.end()
    again = start.exporter(f"--seal.key-file={fleet.keys}", port=port)
    wait_until(again.page, is_up, "the host")


def test_only_sealed_reports_are_taken_where_that_is_required(
    start: Launcher, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    printed("keygen", keys)
    exporter = start.exporter(f"--seal.key-file={keys}", "--require-sealed")
    start.agent("plain", exporter)
    wait_until(
        lambda: exporter.counted("pombo_exporter_datagrams_refused_total", reason="not_sealed"),
        lambda count: count > 0,
        "a refusal",
    )
    assert exporter.page().value("pombo_host_up", instance="plain") is None


def test_key_file_is_made_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    printed("keygen", keys)
    assert keys.stat().st_mode & 0o777 == 0o600
    before = keys.read_text()
    again = subprocess.run(
        [BIN / "pombo-exporter", "keygen", keys], check=False, capture_output=True
    )
    assert again.returncode == 1
    assert b"exists" in again.stderr
    assert keys.read_text() == before
    assert before.splitlines()[-1].startswith("key pfk1_")
    assert printed("keygen", "-").splitlines()[-1] != before.splitlines()[-1]
    text = printed("enroll", "pi", f"--seal.key-file={keys}")
    assert text.splitlines()[-1].startswith("phk1_")
    assert text.count("phk1_") == 1, "no command line has the key"


@pytest.mark.parametrize(
    ("content", "mode", "remedy"),
    [
        ("key pfk1_AAAA\n", 0o600, "line 1: not a fleet key"),
        ("\n# nothing\n", 0o600, "make one with pombo-exporter keygen"),
        ("key pfk1_AAAA\n", 0o604, "run chmod o="),
        ("kee x\n", 0o600, "write key, deny or generation"),
    ],
)
def test_exporter_with_a_bad_key_file_ends_with_the_remedy(
    content: str, mode: int, remedy: str, start: Launcher, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(content)
    keys.chmod(mode)
    exporter = start.exporter(f"--seal.key-file={keys}", ready=False)
    assert exporter.ended() == 1
    assert remedy in exporter.log
    assert "pfk1_A" not in exporter.log


# --- with a state file ---


@pytest.fixture
def kept(start: Launcher, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet whose exporter has a state file."""
    made = Fleet(start, tmp_path, f"--state.file={tmp_path / 'state'}")
    yield made
    made.tap.close()


def kept_lines(fleet: Fleet) -> list[dict[str, Any]]:
    """Return the lines of the state file."""
    path = fleet.keys.with_name("state")
    lines = path.read_text().splitlines() if path.exists() else ['{"version":1}']
    assert lines[0] == '{"version":1}'
    return [json.loads(line) for line in lines[1:]]


def test_nothing_recorded_is_accepted_by_an_exporter_that_was_killed(kept: Fleet) -> None:
    wait_until(lambda: kept_lines(kept), bool, "the state file", within=20)
    [line] = kept_lines(kept)
    assert (line["name"], line["sealed"], line["proven"]) == (NAME, True, True)
    known = [each for each in kept.tap.up if int.from_bytes(each[28:34]) <= line["seq"]]
    assert len(known) > 3
    kept.exporter.kill()
    kept.agent.send_signal(signal.SIGSTOP)
    before = [*kept.tap.up]
    kept.start_exporter()
    assert kept.exporter.page().value("pombo_host_up", instance=NAME) == 0, "down until heard"
    for datagram in known:
        kept.tap.send(datagram)
    wait_until(lambda: kept.refused("replayed"), lambda count: count == len(known), "all replays")
    kept.tap.send(b'{"host":"sealed-host","gauges":{"x":1}}')
    wait_until(lambda: kept.refused("plain_of_sealed"), lambda count: count == 1, "the plain one")
    assert not is_up(kept.exporter.page())
    kept.agent.send_signal(signal.SIGCONT)
    begun = time.monotonic()
    wait_until(kept.exporter.page, is_up, "the agent, which goes on")
    assert time.monotonic() - begun < 2 * SECONDS + 1, "and some time for a busy machine"
    for datagram in before:
        kept.tap.send(datagram)
    replayed = len(known) + len(before)
    wait_until(lambda: kept.refused("replayed"), lambda count: count == replayed, "all replays")
    assert kept.refused("unproven") == kept.refused("conflict") == 0
    assert kept.exporter.counted("pombo_exporter_state_load_errors_total") == 0


def test_state_file_is_whole_after_a_stop_and_after_kills(kept: Fleet) -> None:
    for _ in range(2):
        sent = len(kept.tap.up)
        wait_until(lambda: len(kept.tap.up[sent:]), lambda count: count > 2, "reports")  # noqa: B023
        assert kept.exporter.end() == 0
        [line] = kept_lines(kept)
        assert line["seq"] >= int.from_bytes(kept.tap.up[sent][28:34])
        kept.start_exporter()
        wait_until(kept.exporter.page, is_up, "the host")
        kept.exporter.kill()
        assert kept_lines(kept) == [line]
        kept.start_exporter()
        wait_until(kept.exporter.page, is_up, "the host again")
    assert kept.exporter.log.count("state file read") == 1
    assert kept.keys.with_name("state").stat().st_mode & 0o777 == 0o600


def test_agent_that_starts_while_the_exporter_is_down_is_heard_by_its_answer(kept: Fleet) -> None:
    wait_until(lambda: len(kept.tap.up), lambda count: count > 4, "a proven agent")
    kept.exporter.end()
    assert kept_lines(kept)[0]["proven"]
    kept.agent.end()
    kept.start_exporter()
    kept.start_agent("--log.level=debug")
    wait_until(kept.exporter.page, is_up, "the other salt", within=4 * SECONDS + 5)
    assert kept.refused("unproven") >= 1
