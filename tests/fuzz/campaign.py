"""Runs the fuzzers for long, one after the other: ``python -m fuzz.campaign SECONDS [FUZZER]…``.

What they find goes to ``data/fuzz``, which Git ignores: new inputs to ``found``, with which the
next campaign goes on, and inputs that show a fault to ``faults``.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fuzz.corpus import ROOT, SCRATCH, environment, write_seeds
from fuzz.fuzzer import CORPUS, names
from fuzz.slowest import slowest

#: Seconds of one process. The fuzzing engine itself takes some megabytes more in each minute.
_PIECE = 300

_HANGS = 60  # seconds after which one input is a fault, too
_MOST_MEMORY = 2048  # MiB
_AGAIN = "PYTHONPATH=.:tests .venv/bin/python -m fuzz"


def campaign(name: str, seconds: int) -> list[Path]:
    """Run a fuzzer for so many seconds; return the inputs that show a fault, new or old.

    Raises:
        RuntimeError: when the fuzzer fails for another reason.
    """
    found, faults = SCRATCH / "found" / name, SCRATCH / "faults" / name
    faults.mkdir(parents=True, exist_ok=True)
    write_seeds(name, found)
    for left in range(seconds, 0, -_PIECE):
        options = [
            f"-max_total_time={min(left, _PIECE)}",
            f"-timeout={_HANGS}",
            f"-rss_limit_mb={_MOST_MEMORY}",
            f"-artifact_prefix={faults}/",
        ]
        folders = [str(found), *map(str, filter(Path.is_dir, [CORPUS / name]))]
        command = [sys.executable, "-m", "fuzz", name, *options, *folders]
        done = subprocess.run(command, check=False, cwd=ROOT, env=environment())
        shown = sorted(faults.iterdir())
        if shown:
            return shown
        if done.returncode:
            raise RuntimeError(f"the fuzzer {name} has failed")
    return []


def main(arguments: Sequence[str]) -> int:
    """Run a campaign, print how to reproduce what it found, and return the exit code."""
    if not arguments or not arguments[0].isdigit() or not {*arguments[1:]} <= {*names()}:
        sys.stderr.write(f"{__doc__}\nFuzzers: {', '.join(names())}\n")
        return 2
    chosen = arguments[1:] or names()
    faults = {name: campaign(name, int(arguments[0])) for name in chosen}
    for name in chosen:
        seconds, path = slowest(name, SCRATCH / "found" / name)
        where = path.relative_to(ROOT)
        sys.stdout.write(f"{name}: the slowest input takes {1000 * seconds:.1f} ms: {where}\n")
    for name, paths in faults.items():
        for path in paths:
            where = path.relative_to(ROOT)
            sys.stdout.write(f"{name}: a fault, shown by: {_AGAIN} {name} {where}\n")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
