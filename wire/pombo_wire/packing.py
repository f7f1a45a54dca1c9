"""Reports as packed datagrams."""

from pombo_wire.forms import DICTIONARY, packed
from pombo_wire.reports import header_of, parts_of, sections_of
from pombo_wire.schema import Report


def pack(report: Report, dictionary: int = DICTIONARY) -> bytes:
    """Return ``report`` as a packed datagram; a cell that is ``None`` is absent from its layout.

    The length is not checked.

    Raises:
        ValueError: when there is no such dictionary, or the header is too long.
    """
    return packed(header_of(report), sections_of(parts_of(report)), dictionary)
