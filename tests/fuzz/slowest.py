"""What an input costs without instrumentation: ``python -m fuzz.slowest [FUZZER]…``.

A run does more than the exporter: it checks everything after each datagram.
"""

import sys
from pathlib import Path
from time import perf_counter

from fuzz.fuzzer import CORPUS, load, names


def slowest(name: str, folder: Path) -> tuple[float, Path]:
    """Return the most seconds that an input of a folder takes, and its file."""
    fuzzer = load(name)

    def seconds(path: Path) -> float:
        data, start = path.read_bytes(), perf_counter()
        fuzzer.run(data)
        return perf_counter() - start

    return max((seconds(path), path) for path in folder.iterdir())


if __name__ == "__main__":
    for each in sys.argv[1:] or names():
        most, where = slowest(each, CORPUS / each)
        sys.stdout.write(f"{each}: {1000 * most:.1f} ms: {where.name}\n")
