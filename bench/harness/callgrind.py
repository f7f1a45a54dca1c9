"""Counts the instructions of a Python program by valgrind's callgrind, those inside C included.

A count repeats, whatever else the machine does. It depends on the versions of Python and of
compiled packages, and on the kind of processor.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from support.processes import ROOT, found

#: Only ``os.getpgid`` calls this function of libc. Callgrind writes its count and starts again
#: from zero whenever the function is entered.
_MARK = "getpgid"
_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def mark() -> None:
    """End a part of the program and begin the next one."""
    os.getpgid(0)


def instructions(*arguments: str, within: float = 300) -> tuple[list[int], str]:
    """Run Python with these arguments, for ``within`` seconds at most.

    Returns the instructions of each part between two marks, and the program's output.

    Raises:
        RuntimeError: when the program fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        options = ("--tool=callgrind", f"--callgrind-out-file={out}", f"--dump-before={_MARK}")
        done = subprocess.run(  # noqa: S603 - the benchmark's own programs
            [found("valgrind"), *options, sys.executable, *arguments],
            cwd=ROOT,
            # In every run the same order of sets, and no threads of numpy.
            env={**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
        )
        if done.returncode:
            raise RuntimeError(f"python {arguments} failed under valgrind:\n{done.stderr}")
        counts = []
        # out.1 ends at the first mark, and out has what follows the last.
        for number in range(2, len(list(out.parent.glob("out.*"))) + 1):
            total = _TOTAL.search(Path(f"{out}.{number}").read_text(encoding="utf-8"))
            assert total is not None
            counts.append(int(total[1]))
        return counts, done.stdout
