"""What a module of ``fuzzers`` has, and how it is found."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple

from fuzz import fuzzers

#: Changes bytes somehow; libFuzzer's own mutations, where it runs.
MutateBytes = Callable[[bytes], bytes]

#: The inputs of each fuzzer, in a folder of its name.
CORPUS = Path(__file__).parent / "corpus"


class Fuzzer(NamedTuple):
    """One fuzzer.

    ``run`` takes an input and raises what is wrong: an AssertionError where an invariant does not
    hold, or whatever the code raises that it must not. ``seeds`` are inputs to begin with. An input
    has at most ``most_bytes``. ``mutate`` returns an input that resembles another one; without it,
    libFuzzer changes bytes. ``cross`` returns one that has something of two others. Both depend on
    nothing but their arguments.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    most_bytes: int
    mutate: Callable[[bytes, Random, MutateBytes], bytes] | None = None
    cross: Callable[[bytes, bytes, Random], bytes] | None = None


def names() -> list[str]:
    """Return the names of all fuzzers."""
    return [module.name for module in pkgutil.iter_modules(fuzzers.__path__)]


def load(name: str) -> Fuzzer:
    """Return a fuzzer: of that name, or of another module, for whoever writes one."""
    module = f"fuzz.fuzzers.{name}" if name in names() else name
    found = importlib.import_module(module).FUZZER
    assert isinstance(found, Fuzzer)
    return found


def corpus(name: str) -> list[Path]:
    """Return the files of the corpus of a fuzzer."""
    return sorted((CORPUS / name).iterdir())
