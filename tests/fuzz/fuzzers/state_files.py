"""State files: read at the start whatever is in them, and what is kept can be read again."""

import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random

from pombo_exporter.hosts.limits import Limits
from pombo_exporter.state.file import StateFile
from pombo_exporter.state.lines import HEADER, encoded, read_records
from support.books import check_books
from support.builders import Agent, Exporter

from fuzz.answers import check_answers
from fuzz.fuzzer import Fuzzer, MutateBytes
from fuzz.lines import mutate_json
from fuzz.logs import checked_log

_LIMITS = Limits(hosts=3, bytes=2**20)
_FOLDER = tempfile.TemporaryDirectory()

_SEALED = (
    b'{"name":"pi","generation":1,"salt":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","seq":41,'
    b'"session":7,"sealed":true,"proven":true,"agent":true,"gone":false,"interval":60.0,'
    b'"seen":1800000000}\n'
)
_PLAIN = (
    b'{"name":"nas","generation":null,"salt":"","seq":3,"session":8,"sealed":false,'
    b'"proven":false,"agent":true,"gone":false,"interval":5.0,"seen":1800000000}\n'
)


def _run(data: bytes) -> None:
    path = Path(_FOLDER.name) / "state"
    path.write_bytes(data)
    exporter = Exporter(_LIMITS)
    state = StateFile(path, exporter.roster)
    with checked_log():
        state.load()
    assert state.load_errors <= 1 + data.count(b"\n") + len(data) // 1024
    assert len(exporter.roster.hosts) <= _LIMITS.hosts
    check_books(exporter.roster)
    check_answers(exporter)
    records = [*exporter.roster.remembered()]
    again = read_records(BytesIO(b"".join(map(encoded, records))), len(records) + 1)
    assert [*again] == records
    # Whoever is in the file, an agent can report, and time goes on.
    for name in [*exporter.roster.hosts]:
        exporter.refuses(Agent(exporter, name, session=2**62).report(gauges={"a": 1}))
    exporter.wait(30.0)
    check_books(exporter.roster)


def _seeds() -> Iterator[bytes]:
    yield HEADER
    yield HEADER + _SEALED + _PLAIN
    yield HEADER + _SEALED + _SEALED + b"{}\n" + _PLAIN[:-9]
    yield b'{"version":2}\n' + _SEALED
    yield b""


def _mutate(data: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a file of which one line says something else, or has moved."""
    lines = data.split(b"\n")
    at = random.randrange(len(lines))
    kind = random.random()
    if kind < 0.1:
        return mutate(data)
    if kind < 0.2:
        lines.insert(random.randint(0, len(lines)), lines[at])
    else:
        lines[at] = mutate_json(lines[at], random, mutate)
    return b"\n".join(lines)


FUZZER = Fuzzer(_run, _seeds, most_bytes=8192, mutate=_mutate)
