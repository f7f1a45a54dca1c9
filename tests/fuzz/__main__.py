"""Runs one fuzzer: ``python -m fuzz FUZZER [OPTION|FOLDER|FILE]…``; the options are libFuzzer's.

With a folder, new inputs are added to it; with files, each is run once.
"""

import sys
from collections.abc import Callable
from random import Random

import atheris  # type: ignore[import-untyped]

from fuzz.fuzzer import load

#: What is instrumented, so that the fuzzer sees which of it an input reaches.
_PACKAGES = ["pombo_wire", "pombo_exporter", "pombo_agent", "pombo_cli"]


def main() -> None:
    """Run the fuzzer; libFuzzer ends the process, with an exit code of its own after a fault."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=_PACKAGES):
        fuzzer = load(name)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        assert fuzzer.mutate is not None
        changed = fuzzer.mutate(data, Random(seed), lambda some: atheris.Mutate(some, most))
        return changed if len(changed) <= most else data

    def cross(one: bytes, other: bytes, most: int, seed: int) -> bytes:
        assert fuzzer.cross is not None
        return fuzzer.cross(one, other, Random(seed))[:most]

    custom: dict[str, Callable[..., bytes]] = {}
    if fuzzer.mutate is not None:
        custom["custom_mutator"] = mutate
    if fuzzer.cross is not None:
        custom["custom_crossover"] = cross
    # libFuzzer starts itself by a shell when it merges. Of an option that is there twice, the last
    # one counts.
    command = f"{sys.executable} -m fuzz {name}"
    atheris.Setup([command, f"-max_len={fuzzer.most_bytes}", *options], fuzzer.run, **custom)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
