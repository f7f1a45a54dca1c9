"""Server-sent events as they are written: plain, and compressed once for all subscribers."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from isal import isal_zlib

#: Starts a response whose frames are the gzipped ones (RFC 1952, 2.3).
GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Frame(NamedTuple):
    """A piece of an event, plain and as a part of a gzip stream."""

    plain: bytes
    gzipped: bytes


#: An event of the stream (HTML standard, 9.2.5), also one with nothing but a comment or ``retry``.
#: It consists of frames that each take little time to make and to write.
Event = Sequence[Frame]


def frame(text: bytes) -> Frame:
    """Return a text as a frame.

    The gzipped form may follow any other frame: a full flush ends on a whole byte, and refers to
    nothing before it.
    """
    compressor = isal_zlib.compressobj(level=1, wbits=-15)
    gzipped = compressor.compress(text) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
    return Frame(text, gzipped)


def joined(event: Event) -> Event:
    """Return a short event in one frame, which costs less to write to many subscribers."""
    plain, gzipped = zip(*event, strict=True)
    return (Frame(b"".join(plain), b"".join(gzipped)),)


RETRY: Final = (frame(b"retry: 2000\n\n"),)  # ms
#: An event, not a comment: browsers do not show comments to the page, which waits for it.
ALIVE: Final = (frame(b"event: alive\ndata: {}\n\n"),)
GONE: Final = (frame(b"event: gone\ndata: {}\n\n"),)
