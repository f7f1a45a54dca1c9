"""Server-sent events as they are sent, and what an open page has still to be sent."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from isal import isal_zlib

MOST_PAGES: Final = 100  # open at a time
BEHIND: Final = 8  # events; who has not taken so many is told everything anew, in their place

GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952, 2.3


class Piece(NamedTuple):
    """A piece of an event as it is sent, and as it is sent within a gzip stream."""

    plain: bytes
    packed: bytes


#: An event, in pieces that take no long to make or to write.
Event = Sequence[Piece]


def piece(text: bytes) -> Piece:
    """Return a text as a piece that any page may be sent, whatever it was sent before.

    A full flush ends on a whole byte, and what follows it refers to nothing before it.
    """
    packer = isal_zlib.compressobj(level=1, wbits=-15)
    return Piece(text, packer.compress(text) + packer.flush(isal_zlib.Z_FULL_FLUSH))


def joined(event: Event) -> Event:
    """Return a short event in one piece, which is cheaper to write to many."""
    plain, packed = zip(*event, strict=True)
    return (Piece(b"".join(plain), b"".join(packed)),)


HELLO: Final = (piece(b"retry: 2000\n\n"),)  # ms
STILL_HERE: Final = (piece(b":\n\n"),)
GONE: Final = (piece(b"event: gone\ndata: {}\n\n"),)


class Page:
    """An open page."""

    def __init__(self) -> None:
        self.wants_all = True
        self.news = asyncio.Event()
        self._events: deque[Event] = deque()

    def __len__(self) -> int:
        """Return how many events it has still to be sent."""
        return len(self._events)

    def tell_all(self, everything: Event) -> None:
        """Let it begin with this, whatever it was told before."""
        self._events.clear()
        self.wants_all = False
        self._add(everything)

    def tell(self, event: Event) -> None:
        """Let it go on with this, if it knows what came before."""
        if len(self) >= BEHIND:
            self._events.clear()
            self.wants_all = True
        if not self.wants_all:
            self._add(event)

    def take(self) -> list[Event]:
        """Return what there is to be sent, and keep none of it."""
        self.news.clear()
        taken = [*self._events]
        self._events.clear()
        return taken

    def _add(self, event: Event) -> None:
        self._events.append(event)
        self.news.set()
