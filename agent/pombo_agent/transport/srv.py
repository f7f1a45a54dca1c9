"""SRV records (RFC 2782), from the resolver of the C library, which Python has no function for.

Imported only where a name has some: ctypes takes memory.
"""

import ctypes
import socket
import struct
from collections.abc import Iterator
from typing import Any

from pombo_cli.addresses import Address

_IN, _SRV = 1, 33  # class and type
_HEADER = struct.Struct("!4xHH4x")  # numbers of questions and answers
_RECORD = struct.Struct("!HHIH")  # type, class, time to live, length of the data
_DATA = struct.Struct("!HHH")  # priority, weight, port; the name of the target follows
_QUESTION_BYTES = 4  # after its name

_MOST_BYTES = 65_535
_MOST_NAME_BYTES = 1025  # as <arpa/nameser.h> has it

#: By h_errno, as <netdb.h> has it.
_ERRORS = {
    1: "the name does not exist",
    2: "no name server answers",
    4: "the name has no SRV records",
}


def targets(name: str) -> list[Address]:
    """Return the targets of the SRV records of a name, those of the lowest priority first.

    Of several with one priority, the one with the highest weight comes first. Blocks for as long
    as the settings in /etc/resolv.conf say.

    Raises:
        OSError, UnicodeError: when there are none, no name server answers, or the answer is no
            valid one.
    """
    try:
        records = sorted(
            (priority, -weight, target, port)
            for priority, weight, port, target in _records(_Resolver(), name.encode("ascii"))
        )
    except struct.error:
        raise _error("the answer is cut off") from None
    # A target without a name says that there is no server.
    found = [Address(target, port) for _, _, target, port in records if target and port]
    if not found:
        raise _error(_ERRORS[4])
    return [*dict.fromkeys(found)]


def _error(text: str) -> OSError:
    return socket.gaierror(socket.EAI_NONAME, text)


class _Resolver:
    """The functions of <resolv.h>, of musl and of glibc, which had them in a library of its own."""

    def __init__(self) -> None:
        for library in (None, "libresolv.so.2"):
            for prefix in ("", "__"):
                try:
                    loaded = ctypes.CDLL(library)
                    self.search: Any = loaded[f"{prefix}res_search"]
                    self._expand: Any = loaded[f"{prefix}dn_expand"]
                    self._skip: Any = loaded[f"{prefix}dn_skipname"]
                    self._errno: Any = ctypes.CDLL(None)["__h_errno_location"]
                except (OSError, AttributeError, TypeError):
                    continue
                self._errno.restype = ctypes.POINTER(ctypes.c_int)
                return
        raise OSError("the resolver of this system does not look up SRV records")

    def ask(self, name: bytes) -> "_Answer":
        """Return the answer to the question for SRV records.

        Raises:
            OSError: when there is none.
        """
        buffer = ctypes.create_string_buffer(_MOST_BYTES)
        length = self.search(name, _IN, _SRV, buffer, _MOST_BYTES)
        if length < 0:
            number = self._errno()[0]
            raise _error(_ERRORS.get(number, f"the lookup failed: h_errno {number}"))
        return _Answer(self._expand, self._skip, buffer, min(length, _MOST_BYTES))


class _Answer:
    """A message of a name server. What it has is not trusted: no function reads beyond its end."""

    def __init__(
        self, expand: Any, skip: Any, buffer: "ctypes.Array[ctypes.c_char]", length: int
    ) -> None:
        self._expand, self._skip, self._buffer = expand, skip, buffer
        self.data = buffer.raw[:length]
        self._begin = ctypes.addressof(buffer)

    def _at(self, place: int) -> ctypes.c_void_p:
        if not 0 <= place <= len(self.data):
            raise _error("the answer is cut off")
        return ctypes.c_void_p(self._begin + place)

    def after_name(self, place: int) -> int:
        """Return the place after the name at a place."""
        skipped = self._skip(self._at(place), self._at(len(self.data)))
        if skipped < 0:
            raise _error("the answer has no valid name")
        return place + int(skipped)

    def name(self, place: int) -> str:
        """Return the name at a place in lower case, without a dot at its end."""
        found = ctypes.create_string_buffer(_MOST_NAME_BYTES)
        begin, end = self._at(0), self._at(len(self.data))
        if self._expand(begin, end, self._at(place), found, _MOST_NAME_BYTES) < 0:
            raise _error("the answer has no valid name")
        return found.value.decode("ascii").lower().rstrip(".")


def _records(resolver: _Resolver, name: bytes) -> Iterator[tuple[int, int, int, str]]:
    """Yield priority, weight, port and target of each SRV record."""
    answer = resolver.ask(name)
    questions, answers = _HEADER.unpack_from(answer.data)
    place = _HEADER.size
    for _ in range(questions):
        place = answer.after_name(place) + _QUESTION_BYTES
    for _ in range(answers):
        place = answer.after_name(place)
        kind, family, _, length = _RECORD.unpack_from(answer.data, place)
        place += _RECORD.size
        if (kind, family) == (_SRV, _IN):
            yield *_DATA.unpack_from(answer.data, place), answer.name(place + _DATA.size)
        place += length
