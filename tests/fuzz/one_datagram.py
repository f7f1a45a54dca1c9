"""One datagram, sent to an exporter that knows no host: what must be true afterwards."""

import struct
from collections.abc import Callable
from math import isnan

from pombo_exporter.decode.contents import contents
from pombo_exporter.hosts.limits import AdmissionError, Limits
from pombo_wire import DecodeError
from pombo_wire.forms import packed
from pombo_wire.limits import MAX_DATAGRAM_BYTES, MAX_INFLATED_BYTES
from pombo_wire.reading import Datagram, inflate, read
from pombo_wire.reports import header_of
from support.books import State, check_books, check_refused, check_series
from support.builders import TABLE, Exporter
from support.datagrams import sections_in

from fuzz.answers import check_answers

#: The longest text that says why something is refused: it is logged and shown. A name of 255
#: letters may be in it, each written with ten.
MOST_DETAIL = 4096

_CATALOG = TABLE.catalog()
_LIMITS = Limits()


def check_one(datagram: bytes) -> None:
    """Send a datagram, and once more; check what is stored and what is answered."""
    exporter = Exporter(_LIMITS)
    before = State(exporter.roster)
    reason = refusal(lambda: exporter.take_datagram(datagram))
    # `pombo-exporter decode` gives the same reason.
    assert refusal(lambda: contents(datagram, _CATALOG)) == reason
    if reason is not None:
        check_refused(before, State(exporter.roster))
        return
    check_books(exporter.roster)
    check_series(exporter.roster)
    check_answers(exporter)
    _check_written_again(read(datagram))
    exporter.wait(1.0)
    exporter.take_datagram(datagram)
    check_books(exporter.roster)


def refusal(take: Callable[[], object]) -> str | None:
    """Return why something is refused, None where it is not; check what is said of it."""
    try:
        take()
    except (DecodeError, AdmissionError) as error:
        check_detail(str(error))
        return error.reason
    return None


def check_detail(detail: str) -> None:
    """Check that what is said about a refused datagram is short and can be shown."""
    assert 0 < len(detail) <= MOST_DETAIL
    assert detail.isprintable()


def _check_written_again(found: Datagram) -> None:
    """Check that what was read can be written, and is read the same then."""
    try:
        datagram = packed(header_of(found.header), sections_in(found))
    except ValueError:  # the header is longer than it may be in the packed form
        return
    if len(datagram) > MAX_DATAGRAM_BYTES or len(inflate(datagram)) > MAX_INFLATED_BYTES:
        return
    again = read(datagram)
    assert again.header == found.header
    assert _numbers(again) == _numbers(found)


def _numbers(datagram: Datagram) -> list[float | None]:
    """Return the numbers, None for each NaN; -0.0, which is written as 0, equals it."""
    numbers = (number for (number,) in struct.iter_unpack("d", datagram.numbers))
    return [None if isnan(number) else number for number in numbers]
