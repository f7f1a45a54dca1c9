"""Passwords of ``basic_auth_users``: verified on a thread of their own, within bounds."""

import asyncio
import atexit
import hmac
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic
from typing import Final

import bcrypt

from pombo_exporter.web.networks import network_of
from pombo_exporter.web.rates import TokenBuckets

_MAX_PASSWORD_BYTES: Final = 72  # bcrypt uses no more; htpasswd and Go ignore the rest
_MAX_CACHED: Final = 1024  # of right passwords, and as many wrong ones
_MAX_PENDING: Final = 16  # passwords that wait for the thread

_END_TIMEOUT: Final = 0.5  # seconds for a comparison when the process ends

_FAILURES: Final = 10  # wrong passwords of a network at once
_FAILURE_INTERVAL: Final = 6.0  # seconds until it may send another one

#: Salt and hash of nobody's password, behind the cost of a user's.
_NOBODY: Final = b"." * 53


class BusyError(Exception):
    """A password is not verified; ``retry_after`` is when to try again, in seconds.

    ``is_client`` is whether this client has sent too many wrong ones.
    """

    def __init__(self, retry_after: float, *, is_client: bool) -> None:
        super().__init__(f"try again after {retry_after:g} s")
        self.retry_after, self.is_client = retry_after, is_client


class Passwords:
    """Verifies passwords, and remembers which were right and which were wrong.

    bcrypt takes some 50 ms, which the event loop does not have. So one thread verifies, one
    password after the other. A password that was right is found at once and never waits.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._key = os.urandom(32)
        self._right = _Recent(_MAX_CACHED)
        self._wrong = _Recent(_MAX_CACHED)
        self._pending: dict[bytes, asyncio.Future[bool]] = {}
        self._clock = clock
        #: How many wrong passwords each network may send.
        self._budgets = TokenBuckets(_FAILURES, _FAILURE_INTERVAL)
        self._worker = _Worker()

    async def verify(
        self, users: Mapping[str, bytes], name: str, password: bytes, address: str
    ) -> bool:
        """Return whether this is the password of the user ``name``.

        ``users`` are hashes by name, ``address`` is the client's. A user that does not exist takes
        as long as one that does.

        Raises:
            BusyError: when the client has sent too many wrong ones, or too many others wait.
        """
        known = users.get(name)
        hashed = known or nobody(users)
        password = password[:_MAX_PASSWORD_BYTES]
        key = self._digest(name.encode(), hashed, password)
        if key in self._right:
            return True
        if key in self._wrong:
            return False
        if key not in self._pending:
            self._begin(key, hashed, password, network_of(address), is_known=known is not None)
        return await asyncio.shield(self._pending[key])

    def _begin(
        self, key: bytes, hashed: bytes, password: bytes, network: str, *, is_known: bool
    ) -> None:
        if len(self._pending) >= _MAX_PENDING:
            raise BusyError(1.0, is_client=False)
        if wait := self._budgets.take(network, self._clock()):
            raise BusyError(wait, is_client=True)
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending[key] = future

        def done(is_right: bool) -> None:  # noqa: FBT001 - called by the thread
            del self._pending[key]
            if is_right := is_right and is_known:
                self._budgets.give_back(network)  # it was no wrong one
            (self._right if is_right else self._wrong).add(key)
            future.set_result(is_right)

        self._worker.check(password, hashed, done)

    def _digest(self, *parts: bytes) -> bytes:
        """Return what stands for these parts in memory, which lasts no longer than the process."""
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, framed, "sha256")


def nobody(users: Mapping[str, bytes]) -> bytes:
    """Return a hash that no password is known to have, of the greatest cost of these hashes."""
    cost = max(hashed[4:6] for hashed in users.values())
    return b"$2b$" + cost + b"$" + _NOBODY


class _Worker:
    """One thread that compares passwords with hashes. It begins with the first one.

    A daemon, since nothing tells it when the exporter ends. But the interpreter may not end while
    a thread is inside bcrypt (the process would abort), so the end waits for that, for a moment.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[
            tuple[bytes, bytes, Callable[[bool], None], asyncio.AbstractEventLoop]
        ] = SimpleQueue()
        self._runs = self._is_closed = False
        self._comparing = threading.Lock()

    def check(self, password: bytes, hashed: bytes, done: Callable[[bool], None]) -> None:
        """Call ``done`` on the event loop once it is known whether the password has this hash."""
        if not self._runs:
            threading.Thread(target=self._run, name="passwords", daemon=True).start()
            atexit.register(self._close)
            self._runs = True
        self._queue.put((password, hashed, done, asyncio.get_running_loop()))

    def _run(self) -> None:
        while True:
            password, hashed, done, loop = self._queue.get()
            with self._comparing:
                if self._is_closed:
                    return
                try:
                    is_right = bcrypt.checkpw(password, hashed)
                except ValueError:  # such as a null byte, in some versions
                    is_right = False
            with suppress(RuntimeError):  # raised when the loop is closed: the exporter ends
                loop.call_soon_threadsafe(done, is_right)

    def _close(self) -> None:
        self._is_closed = True
        if not self._comparing.acquire(timeout=_END_TIMEOUT):
            os._exit(0)  # all else has ended
        self._comparing.release()


class _Recent:
    """The keys that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        if key not in self._keys:
            return False
        self._keys.move_to_end(key)
        return True

    def add(self, key: bytes) -> None:
        self._keys[key] = None
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)
