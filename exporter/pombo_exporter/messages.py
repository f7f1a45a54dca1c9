"""Server-sent events as they are sent, and what an open page has still to be sent."""

import asyncio
from collections import deque
from typing import Final, NamedTuple

from isal import isal_zlib

BEHIND: Final = 8  # messages; who has not taken so many is told everything anew, in their place

GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952, 2.3


class Message(NamedTuple):
    """An event as it is sent, and as it is sent within a gzip stream."""

    plain: bytes
    packed: bytes


def message(*pieces: bytes) -> Message:
    """Return one whose pieces are compressed each by itself, so that any page may be sent them.

    A full flush ends on a whole byte, and what follows it refers to nothing before it.
    """
    return Message(b"".join(pieces), b"".join(map(_packed, pieces)))


def _packed(piece: bytes) -> bytes:
    packer = isal_zlib.compressobj(level=1, wbits=-15)
    return packer.compress(piece) + packer.flush(isal_zlib.Z_FULL_FLUSH)


HELLO: Final = message(b"retry: 2000\n\n")  # ms
STILL_HERE: Final = message(b":\n\n")


class Page:
    """An open page."""

    def __init__(self) -> None:
        self.wants_all = True
        self.news = asyncio.Event()
        self._messages: deque[Message] = deque()

    def __len__(self) -> int:
        """Return how many messages it has still to be sent."""
        return len(self._messages)

    def tell_all(self, everything: Message) -> None:
        """Let it begin with this, whatever it was told before."""
        self._messages.clear()
        self.wants_all = False
        self._add(everything)

    def tell(self, event: Message) -> None:
        """Let it go on with this, if it knows what came before."""
        if len(self) >= BEHIND:
            self._messages.clear()
            self.wants_all = True
        if not self.wants_all:
            self._add(event)

    def take(self) -> list[Message]:
        """Return what there is to be sent, and keep none of it."""
        self.news.clear()
        taken = [*self._messages]
        self._messages.clear()
        return taken

    def _add(self, event: Message) -> None:
        self._messages.append(event)
        self.news.set()
