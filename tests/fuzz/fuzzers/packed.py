"""Packed datagrams: inflated, decoded, admitted, rendered.

Hardly any changed byte of a DEFLATE stream leaves it one. So mutations inflate a datagram, change
its lines, and deflate them again.
"""

from collections.abc import Iterator

import msgspec
from pombo_wire import Report
from pombo_wire.packing import pack

from fuzz.fuzzer import Fuzzer
from fuzz.lines import mutate_packed
from fuzz.one_datagram import check_one
from fuzz.seeds import captured, vectors


def _seeds() -> Iterator[bytes]:
    yield from vectors(b"\xb0")
    for datagram in captured():
        yield pack(msgspec.json.decode(datagram, type=Report))


FUZZER = Fuzzer(check_one, _seeds, most_bytes=1300, mutate=mutate_packed)
