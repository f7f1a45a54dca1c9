"""Reports to datagrams in the plain form: pure functions, no I/O."""

import msgspec

from pombo_wire.schema import Report

_encode = msgspec.json.Encoder().encode


def encode(report: Report) -> bytes:
    """Return ``report`` as a plain datagram; fields that have their default are omitted."""
    return _encode(report)
