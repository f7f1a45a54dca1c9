"""The API answers as docs/openapi.json describes, whatever it is asked for."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.pages import fetch, wait_until
from support.processes import BIN, ROOT, Exporter, free_port
from support.senders import Sender, steady

#: Names of hosts, of which some have to be encoded in a path.
NAMES = ("pi", "rack 7/web", "50%", "a?b=c#d", "übergröße", "..", "x" * 255)

#: Requests of each kind for each operation.
EXAMPLES, MORE_EXAMPLES = 10, 100


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "exporter.log"


@contextmanager
def running(log: Path, *flags: str) -> Iterator[Exporter]:
    """Run an exporter with hosts that have reported twice; fail if it logs an unexpected error."""
    exporter = Exporter(log, "127.0.0.1", free_port(), flags)
    try:
        wait_until(exporter.page, bool, "the exporter's first page")
        for name in NAMES:
            with Sender(name, exporter.port) as sender:
                for moment in (10.0, 15.0):
                    sender.report(moment, *steady(moment))
        wait_until(lambda: names_of(exporter), lambda found: {*NAMES} <= found, "all hosts")
        yield exporter
    finally:
        exporter.end()
    assert "Traceback" not in exporter.log


def names_of(exporter: Exporter) -> set[str]:
    hosts = json.loads(fetch(f"http://{exporter.target}/api/v1/hosts"))["hosts"]
    return {host["name"] for host in hosts}


def document(path: Path) -> Path:
    """Write the document to a file, with the names of the hosts; return its path."""
    found: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))
    del found["paths"]["/report"]  # any report may be another host
    for methods in found["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] != "host":
                    continue
                parameter["schema"] = {"anyOf": [{"enum": [*NAMES]}, parameter["schema"]]}
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def ask_for_everything(exporter: Exporter, folder: Path, examples: int) -> None:
    """Ask for all that the document describes, and more; fail where an answer is not as it says."""
    described = document(folder / "openapi.json")
    url = f"--url=http://{exporter.target}"
    options = [url, "--checks=all", f"--max-examples={examples}", "--seed=1", "--no-color"]
    command = [str(BIN / "schemathesis"), "run", *options, str(described)]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 selected / 6 total" in done.stdout


def test_every_answer_is_as_described(log: Path, tmp_path: Path) -> None:
    with running(log) as exporter:
        ask_for_everything(exporter, tmp_path, EXAMPLES)
        assert names_of(exporter) == {*NAMES}


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--web.enable-admin-api",)])
def test_every_answer_to_many_requests_is_as_described(
    log: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    with running(log, *flags) as exporter:
        ask_for_everything(exporter, tmp_path, MORE_EXAMPLES)
        assert ({*NAMES} <= names_of(exporter)) is not bool(flags)
