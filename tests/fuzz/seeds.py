"""Inputs to begin with: the vectors of docs/wire-vectors, and reports of real agents."""

import json
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_VECTORS = _ROOT / "docs/wire-vectors"
_CAPTURED = _ROOT / "bench/fleets/vm.jsonl"


def vectors(first: bytes) -> Iterator[bytes]:
    """Yield the datagrams of the vectors, accepted and refused ones, that begin so."""
    for name in ("accepted", "refused"):
        for vector in json.loads((_VECTORS / f"{name}.json").read_text("utf-8")):
            datagram = bytes.fromhex(vector["datagram"])
            if datagram.startswith(first):
                yield datagram


def captured() -> Iterator[bytes]:
    """Yield the plain datagrams of two reports of a real agent."""
    yield from _CAPTURED.read_bytes().splitlines()[:24]
