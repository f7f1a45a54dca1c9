"""Plain datagrams: one JSON object, decoded, admitted, rendered."""

from collections.abc import Iterator

from fuzz.fuzzer import Fuzzer
from fuzz.lines import mutate_json
from fuzz.one_datagram import check_one
from fuzz.seeds import captured, vectors


def _seeds() -> Iterator[bytes]:
    yield b""
    for first in (b"{", b" ", b"\n", b"["):
        yield from vectors(first)
    yield from captured()


FUZZER = Fuzzer(check_one, _seeds, most_bytes=1300, mutate=mutate_json)
