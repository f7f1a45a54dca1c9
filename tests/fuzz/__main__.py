"""Runs one fuzzer: ``python -m fuzz TARGET [OPTION|FOLDER|FILE]…``; the options are libFuzzer's.

With a folder, new inputs are added to it; with files, each is run once.
"""

import logging
import sys
from random import Random

import atheris  # type: ignore[import-untyped]

from fuzz.target import load

#: What is instrumented, so that the fuzzer sees which of it an input reaches.
_PACKAGES = ["pombo_wire", "pombo_exporter", "pombo_agent", "pombo_cli"]


def main() -> None:
    """Run the fuzzer; libFuzzer ends the process, with an exit code of its own after a fault."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    name, *options = sys.argv[1:]
    logging.disable()  # a line for each refused datagram
    with atheris.instrument_imports(include=_PACKAGES):
        target = load(name)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        assert target.mutate is not None
        random = Random(seed)
        changed = target.mutate(data, random, lambda some: atheris.Mutate(some, most))
        return changed if len(changed) <= most else data

    limit = (
        []
        if any(each.startswith("-max_len=") for each in options)
        else [f"-max_len={target.most_bytes}"]
    )
    # libFuzzer starts itself by a shell when it merges.
    arguments = [f"{sys.executable} -m fuzz {name}", *limit, *options]
    if target.mutate is None:
        atheris.Setup(arguments, target.run)
    else:
        atheris.Setup(arguments, target.run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
