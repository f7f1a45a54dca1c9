"""The fuzzers in short: their corpus holds all invariants, and some more inputs are tried."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from pombo_wire import DecodeError
from pombo_wire.reading import inflate

from fuzz.corpus import MOST_BYTES, ROOT, environment
from fuzz.fuzzer import CORPUS, corpus, load, names
from fuzz.seals import opened

#: Inputs that each fuzzer tries beyond its corpus: some seconds each.
RUNS = {
    "acknowledgement": 3000,
    "captures": 300,
    "history": 50,
    "key_files": 1500,
    "packed": 300,
    "plain": 300,
    "sealed": 300,
    "state_files": 100,
    "text_files": 80,
}

_FAULT = 77  # libFuzzer's exit code after an exception in Python


def fuzz(fuzzer: str, *options: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = environment()
    if path is not None:
        env["PYTHONPATH"] += f":{path}"
    command = [sys.executable, "-m", "fuzz", fuzzer, *options]
    return subprocess.run(
        command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, errors="replace"
    )


@pytest.mark.parametrize("name", names())
def test_corpus_holds_all_invariants(name: str) -> None:
    run = load(name).run
    for path in corpus(name):
        try:
            run(path.read_bytes())
        except BaseException as error:
            error.add_note(f"the input is {path}")
            raise


@pytest.mark.parametrize("name", names())
def test_seeds_hold_all_invariants(name: str) -> None:
    seeds = [*load(name).seeds()]
    assert len(seeds) > 3
    for seed in seeds:
        assert len(seed) <= load(name).most_bytes
        load(name).run(seed)


@pytest.mark.parametrize("name", names())
def test_corpus_is_small(name: str) -> None:
    sizes = [path.stat().st_size for path in corpus(name)]
    assert 3 < len(sizes) < 500
    assert sum(sizes) <= MOST_BYTES
    assert max(sizes) <= load(name).most_bytes


@pytest.mark.parametrize("name", names())
def test_fuzzer_finds_no_fault_in_some_seconds(name: str, tmp_path: Path) -> None:
    options = (
        "-seed=1",
        f"-runs={len(corpus(name)) + RUNS[name]}",
        f"-artifact_prefix={tmp_path}/",
    )
    found = tmp_path / "found"
    found.mkdir()
    done = fuzz(name, *options, str(found), str(CORPUS / name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DONE" in done.stderr
    assert not [path for path in tmp_path.iterdir() if path != found]


@pytest.mark.parametrize("name", [name for name in names() if load(name).mutate])
def test_mutation_depends_on_nothing_but_its_seed(name: str) -> None:
    assert mutations(name, 1) == mutations(name, 1) != mutations(name, 2)


def mutations(name: str, seed: int, each: int = 4) -> list[bytes]:
    """Return some mutations of each seed of a fuzzer, without libFuzzer's own."""
    fuzzer, random = load(name), Random(seed)
    assert fuzzer.mutate is not None
    return [fuzzer.mutate(data, random, bytes) for data in fuzzer.seeds() for _ in range(each)]


def test_most_mutations_of_packed_datagrams_inflate() -> None:
    seeds = [*load("packed").seeds()]
    changed = mutations("packed", 1)
    assert len({*changed}) > 3 * len(seeds)
    assert sum(map(inflates, changed)) > 0.9 * 4 * sum(map(inflates, seeds))


def test_most_mutations_of_sealed_datagrams_are_opened() -> None:
    seeds = [*load("sealed").seeds()]
    changed = mutations("sealed", 1)
    assert len({*changed}) > 3 * len(seeds)
    assert sum(opened(each) is not None for each in changed) > 0.9 * len(changed)


def inflates(datagram: bytes) -> bool:
    try:
        inflate(datagram)
    except DecodeError:
        return False
    return True


_BROKEN = """
from fuzz.fuzzer import Fuzzer


def _run(data):
    assert data != b"seed, changed", "a fault"


def _mutate(data, random, mutate):
    return b"seed, changed" if random.random() < 0.1 else mutate(data)


FUZZER = Fuzzer(_run, list, 20, _mutate)
"""


def test_fault_is_found_and_kept_and_shown_again(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(_BROKEN)
    faults = tmp_path / "faults"
    faults.mkdir()
    done = fuzz("broken", "-runs=10000", "-seed=1", f"-artifact_prefix={faults}/", path=tmp_path)
    assert done.returncode == _FAULT, done.stderr
    [kept] = faults.iterdir()
    assert kept.read_bytes() == b"seed, changed"
    again = fuzz("broken", str(kept), path=tmp_path)
    assert again.returncode == _FAULT
    assert "AssertionError: a fault" in again.stdout + again.stderr
