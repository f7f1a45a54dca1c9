"""Makes the corpus of the repository as small as it can be: ``python -m fuzz.corpus [FUZZER]…``.

It keeps inputs that reach something which no smaller one reaches, of the corpus, of the seeds, and
of what campaigns have found. It also keeps those that have a name: each has shown a fault.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fuzz.fuzzer import CORPUS, load, names

ROOT = Path(__file__).parents[2]

#: What campaigns find.
SCRATCH = ROOT / "data/fuzz"

#: The name of an input without another one, which is that of its content.
_HASH = re.compile("[0-9a-f]{40}")

#: The most bytes of the corpus of one fuzzer.
MOST_BYTES = 150_000


def environment() -> dict[str, str]:
    """Return the environment of a fuzzer, with the same hashes of texts each time."""
    return {**os.environ, "PYTHONPATH": f".{os.pathsep}tests", "PYTHONHASHSEED": "0"}


def write_seeds(name: str, folder: Path) -> None:
    """Write the seeds of a fuzzer to files that are named by their content, as libFuzzer's are."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in load(name).seeds():
        (folder / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)


def minimise(name: str) -> None:
    """Replace the corpus of a fuzzer by the smallest one that reaches as much.

    Where that is too large, how often an input reaches something does not count.

    Raises:
        RuntimeError: when the fuzzer fails.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_seeds(name, folder / "seeds")
        found = [folder / "seeds", CORPUS / name, SCRATCH / "found" / name]
        sources = [each for each in found if each.is_dir()]
        merged = _merged(name, sources, folder / "merged")
        if sum(path.stat().st_size for path in merged.iterdir()) > MOST_BYTES:
            merged = _merged(name, sources, folder / "smaller", "-use_counters=0")
        for path in CORPUS.glob(f"{name}/*"):
            if _HASH.fullmatch(path.name):
                path.unlink()
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        for path in merged.iterdir():
            shutil.copy(path, CORPUS / name)


def _merged(name: str, sources: Sequence[Path], into: Path, *options: str) -> Path:
    """Merge the inputs of some folders into a new one; return it."""
    into.mkdir()
    folders = map(str, [into, *sources])
    command = [sys.executable, "-m", "fuzz", name, "-merge=1", *options, *folders]
    subprocess.run(command, check=True, cwd=ROOT, env=environment())
    if not any(into.iterdir()):
        raise RuntimeError(f"the fuzzer of {name} has merged nothing")
    return into


if __name__ == "__main__":
    for each in sys.argv[1:] or names():
        minimise(each)
