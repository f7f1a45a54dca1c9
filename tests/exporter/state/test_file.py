"""The state file: what is written and read, and what does no harm."""

import asyncio
import logging
import os
import random
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed
from pombo_exporter.hosts.holder import Claim
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.remembered import Remembered
from pombo_exporter.runtime.pacing import STEP, Pacer
from pombo_exporter.state import file as state_file
from pombo_exporter.state.file import StateFile, replace_file
from pombo_exporter.state.lines import HEADER, MOST_LINE_BYTES, encoded, read_records
from pombo_wire import DEFAULT_INTERVAL_SECONDS, Report, encode
from pombo_wire.reading import read
from support.builders import ADDRESS, SESSION, Exporter

SEALED = Remembered(
    name="pi",
    generation=1,
    salt="0f" * 16,
    seq=41,
    session=SESSION,
    sealed=True,
    proven=True,
    agent=True,
    gone=False,
    interval=60.0,
    seen=1_800_000_000,
)
PLAIN = changed(
    SEALED,
    name="Täube\n",
    generation=None,
    salt="",
    seq=2**63 - 1,
    sealed=False,
    proven=False,
)

LINE = (
    b'{"name":"pi","generation":1,"salt":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","seq":41,'
    b'"session":%d,"sealed":true,"proven":true,"agent":true,"gone":false,'
    b'"interval":60.0,"seen":1800000000}\n' % SESSION
)


def loaded(path: Path, limits: Limits | None = None) -> tuple[Exporter, StateFile]:
    exporter = Exporter(limits or Limits())
    state = StateFile(path, exporter.roster)
    state.load()
    return exporter, state


def written(state: StateFile, pacer: Pacer | None = None) -> None:
    """Write the file as at the end of the exporter."""

    async def write() -> None:
        keeping = asyncio.create_task(state.keep(pacer or Pacer()))
        await asyncio.sleep(0)
        keeping.cancel()
        await state.finish(pacer or Pacer())

    asyncio.run(write())


def test_line_is_as_documented() -> None:
    assert HEADER == b'{"version":1}\n'
    assert encoded(SEALED) == LINE


def test_what_is_read_is_written_again_in_the_same_order(tmp_path: Path) -> None:
    path = tmp_path / "state"
    content = HEADER + b"".join(map(encoded, (PLAIN, SEALED, changed(SEALED, name="b", gone=True))))
    path.write_bytes(content)
    exporter, state = loaded(path)
    assert [*exporter.roster.hosts] == ["Täube\n", "pi", "b"]
    path.unlink()
    left = tmp_path / "state.new"  # by an exporter that was killed
    left.write_bytes(b"half a line")
    left.chmod(0o644)
    written(state)
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [path]
    assert (state.load_errors, state.write_errors) == (0, 0)


def test_forgotten_host_has_no_line_any_more(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(HEADER + LINE)
    exporter, state = loaded(path)
    exporter.roster.forget("pi", exporter.now)
    written(state)
    assert path.read_bytes() == HEADER


def test_exporter_that_never_served_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    asyncio.run(StateFile(path, Exporter().roster).finish(Pacer()))
    assert not path.exists()


def test_missing_file_is_one_line_and_one_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporter, state = loaded(tmp_path / "state")
    assert (exporter.roster.hosts, state.load_errors) == ({}, 1)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"key pfk1_AAAA\n", b"[1]\n", b'{"version":2}\n' + LINE, LINE, b"\xff" * 5000],
)
def test_file_that_cannot_be_used_is_set_aside(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    exporter, state = loaded(path)
    assert (exporter.roster.hosts, state.load_errors) == ({}, 1)
    assert len(caplog.records) == 1
    assert path.with_suffix(".broken").read_bytes() == content
    written(state)
    assert path.read_bytes() == HEADER


def test_what_is_no_file_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        _, state = loaded(path)
        written(state)
        assert (state.load_errors, state.write_errors) == (1, 1)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert {*tmp_path.iterdir()} == {pipe, folder}


INVALID: list[bytes] = [
    b"\n",
    b"{}\n",
    b"no JSON\n",
    b"\xff\xfe\n",
    LINE[:-20] + b"\n",
    LINE.replace(b'"pi"', b'""'),
    LINE.replace(b'"pi"', b'"\\ud800"'),
    LINE.replace(b'"pi"', b'"' + "ü".encode() * 128 + b'"'),
    LINE.replace(b"0f0f", b"0F0F"),
    LINE.replace(b"0f0f", b""),
    LINE.replace(b'"generation":1', b'"generation":256'),
    LINE.replace(b'"generation":1', b'"generation":null'),
    LINE.replace(b'"seq":41', b'"seq":-1'),
    LINE.replace(b'"seq":41', b'"seq":9223372036854775808'),
    LINE.replace(b'"seq":41', b'"seq":4.5'),
    LINE.replace(b'"sealed":true', b'"sealed":false'),
    LINE.replace(b'"proven":true', b'"proven":1'),
    LINE.replace(b'"interval":60.0', b'"interval":0'),
    encoded(SEALED),  # a second time
]


@pytest.mark.parametrize("line", INVALID)
def test_invalid_line_costs_only_itself(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(HEADER + LINE + line + encoded(PLAIN))
    exporter, state = loaded(path)
    assert ([*exporter.roster.hosts], state.load_errors) == (["pi", PLAIN.name], 1)


def test_line_may_have_fields_of_a_later_version() -> None:
    line = LINE.replace(b"}", b',"later":[1]}')
    assert [*read_records(BytesIO(line), 9)] == [SEALED]


def test_interval_and_last_report_may_be_missing() -> None:
    [record] = read_records(BytesIO(LINE.replace(b',"interval":60.0,"seen":1800000000', b"")), 9)
    assert record is not None
    assert (record.interval, record.seen) == (DEFAULT_INTERVAL_SECONDS, 0)


def test_longest_line_is_read() -> None:
    record = changed(SEALED, name="\x01" * 255, seq=2**63 - 1, session=2**63 - 1, generation=255)
    line = encoded(record)
    assert len(line) <= MOST_LINE_BYTES
    assert [*read_records(BytesIO(line), 9)] == [record]


def test_more_hosts_than_the_limit_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state"
    names = [f"host-{number}" for number in range(9)]
    path.write_bytes(HEADER + b"".join(encoded(changed(SEALED, name=name)) for name in names))
    exporter, state = loaded(path, replace(Limits(), hosts=3))
    assert [*exporter.roster.hosts] == names[:3]
    assert state.load_errors == 0
    assert "--limit.hosts=3" in str(caplog.records[-1].__dict__["fields"])


def test_file_that_is_too_large_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(HEADER + LINE + b"x" * MOST_LINE_BYTES * 1000 + b"\n" + encoded(PLAIN))
    exporter, state = loaded(path, replace(Limits(), hosts=3))
    assert [*exporter.roster.hosts] == ["pi"]
    assert state.load_errors == 5


def test_failed_writing_is_counted_and_logged_once_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, state = loaded(tmp_path / "missing" / "state")
    caplog.clear()
    for _ in range(3):
        written(state)
    assert state.write_errors == 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_full_disk_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    path.write_bytes(HEADER + LINE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    _, state = loaded(path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        written(state)
    assert state.write_errors == 1
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == HEADER + LINE


def test_exporter_ends_although_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, state = loaded(tmp_path / "state")
    monkeypatch.setattr(state_file, "_LAST_SECONDS", 0.1)
    monkeypatch.setattr(state_file, "replace_file", lambda *_: time.sleep(1))
    begun = time.monotonic()
    written(state)
    assert time.monotonic() - begun < 0.8
    assert "the disk is slow" in caplog.text


def test_writings_do_not_overtake_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    exporter, state = loaded(path)
    monkeypatch.setattr(state_file, "_FIRST_AFTER", 0.0)

    rests = [0.0, 0.2]  # before each writing, the last one first

    def slow(path: Path, chunks: Any) -> None:
        time.sleep(rests.pop())
        replace_file(path, chunks)

    monkeypatch.setattr(state_file, "replace_file", slow)

    async def run() -> None:
        keeping = asyncio.create_task(state.keep(Pacer()))
        await asyncio.sleep(0.03)
        keeping.cancel()
        report = read(encode(Report("late", session=SESSION, seq=3)))
        exporter.roster.admit(report, ADDRESS, exporter.now, exporter.wall)
        await state.finish(Pacer())
        await asyncio.sleep(0.3)

    asyncio.run(run())
    assert b'"late"' in path.read_bytes()


@pytest.mark.costs
def test_steps_of_a_large_fleet_are_short(tmp_path: Path) -> None:
    exporter = Exporter(replace(Limits(), hosts=50_000))
    for number in range(50_000):
        record = changed(SEALED, name=f"host-{number}.example.org", salt=f"{number:032x}")
        assert exporter.roster.restore(record, exporter.now)
    assert exporter.host("host-7.example.org").holder.judge(
        Claim(SESSION, (7).to_bytes(16, "big")), is_free=True, is_down=True
    )
    pacer = Pacer(clock=time.thread_time)  # other programs may take the core
    written(StateFile(tmp_path / "state", exporter.roster), pacer)
    assert pacer.longest_step < 10 * STEP, "it aims at one, and the collector may run"
    assert (tmp_path / "state").read_bytes().count(b"\n") == 50_001


def test_kill_while_it_writes_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    line = encoded(SEALED)
    program = f"""
from pathlib import Path
from pombo_exporter.state.file import replace_file
line, number = {line!r}, 0
while True:
    number += 1
    lines = [line.replace(b'"pi"', b'"%d-%d"' % (number, each)) for each in range(2000)]
    replace_file(Path({str(path)!r}), [{HEADER!r}, *lines])
    print(flush=True)
"""
    for seed in range(8):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(random.Random(seed).uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        exporter, state = loaded(path)
        assert (len(exporter.roster.hosts), state.load_errors) == (2000, 0)
        assert len({name.partition("-")[0] for name in exporter.roster.hosts}) == 1
