"""Passwords are verified on one thread, within bounds, and remembered."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import bcrypt
import pytest
from pombo_exporter.web.toolkit.users import BusyError, Passwords, nobody
from support.certificates import password_hash
from support.served import DEADLINE

USERS = {name: password_hash(f"{name}'s").encode() for name in ("alice", "bob")}
SLOW = {"slow": bcrypt.hashpw(b"slow's", bcrypt.gensalt(11))}  # a tenth of a second

T = TypeVar("T")


def run(use: Callable[[Passwords], Awaitable[T]]) -> T:
    async def main() -> T:
        async with asyncio.timeout(DEADLINE):
            return await use(Passwords())

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "password", "is_right"),
    [
        ("alice", b"alice's", True),
        ("bob", b"bob's", True),
        ("alice", b"bob's", False),
        ("alice", b"", False),
        ("alice", b"alice's\0", False),
        ("Alice", b"alice's", False),
        ("", b"", False),
        ("carol", b"alice's", False),
    ],
)
def test_password_is_right_only_for_its_user(name: str, password: bytes, *, is_right: bool) -> None:
    async def use(passwords: Passwords) -> None:
        for _ in range(2):  # the second time it is remembered
            assert await passwords.verify(USERS, name, password, "192.0.2.1") is is_right

    run(use)


def test_hash_of_htpasswd_and_of_python_are_the_same() -> None:
    async def use(passwords: Passwords) -> None:
        hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4))
        for kind in (b"$2a$", b"$2b$", b"$2y$"):
            users = {"x": kind + hashed[4:]}
            assert await passwords.verify(users, "x", b"x", "192.0.2.1")

    run(use)


def test_bytes_after_the_72nd_do_not_count_as_in_other_programs() -> None:
    async def use(passwords: Passwords) -> None:
        users = {"long": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))}
        assert await passwords.verify(users, "long", b"x" * 100, "192.0.2.1")
        assert not await passwords.verify(users, "long", b"x" * 71, "192.0.2.1")

    run(use)


def test_password_that_was_changed_is_wrong_at_once() -> None:
    async def use(passwords: Passwords) -> None:
        assert await passwords.verify(USERS, "alice", b"alice's", "192.0.2.1")
        changed = {"alice": password_hash("new").encode()}
        assert not await passwords.verify(changed, "alice", b"alice's", "192.0.2.1")
        assert await passwords.verify(changed, "alice", b"new", "192.0.2.1")

    run(use)


def test_hash_of_nobody_has_the_greatest_cost_and_is_one_that_bcrypt_takes() -> None:
    users = USERS | {"carol": bcrypt.hashpw(b"x", bcrypt.gensalt(6))}
    found = nobody(users)
    assert found.startswith(b"$2b$06$")
    assert len(found) == len(users["carol"])
    assert bcrypt.checkpw(b"x", found) is False


def test_same_password_of_many_requests_is_verified_once() -> None:
    async def use(passwords: Passwords) -> None:
        checks = (passwords.verify(SLOW, "slow", b"slow's", "192.0.2.1") for _ in range(50))
        assert await asyncio.gather(*checks) == [True] * 50

    run(use)


def test_known_password_does_not_wait_for_those_that_are_verified() -> None:
    async def use(passwords: Passwords) -> None:
        assert await passwords.verify(SLOW, "slow", b"slow's", "192.0.2.1")
        guesses = [
            asyncio.create_task(passwords.verify(SLOW, "slow", b"%d" % number, f"192.0.2.{number}"))
            for number in range(8)
        ]
        await asyncio.sleep(0)
        assert await passwords.verify(SLOW, "slow", b"slow's", "192.0.2.1")
        assert not any(guess.done() for guess in guesses)
        assert await asyncio.gather(*guesses) == [False] * 8

    run(use)


def test_more_than_sixteen_that_wait_are_refused() -> None:
    async def use(passwords: Passwords) -> None:
        guesses = [
            asyncio.create_task(passwords.verify(SLOW, "slow", b"%d" % number, f"192.0.2.{number}"))
            for number in range(16)
        ]
        await asyncio.sleep(0)
        with pytest.raises(BusyError) as caught:
            await passwords.verify(SLOW, "slow", b"slow's", "198.51.100.1")
        assert not caught.value.is_client
        for guess in guesses:
            guess.cancel()

    run(use)


def test_client_has_ten_wrong_passwords_and_then_one_in_six_seconds() -> None:
    now = 1000.0

    async def use(_: Passwords) -> None:
        nonlocal now
        passwords = Passwords(lambda: now)
        for number in range(10):
            assert not await passwords.verify(USERS, "alice", b"%d" % number, "192.0.2.1")
        with pytest.raises(BusyError) as caught:
            await passwords.verify(USERS, "alice", b"10", "192.0.2.1")
        assert caught.value.is_client
        assert caught.value.retry_after == 6
        assert not await passwords.verify(USERS, "alice", b"10", "192.0.2.2")
        now += 6
        assert not await passwords.verify(USERS, "alice", b"11", "192.0.2.1")
        with pytest.raises(BusyError):
            await passwords.verify(USERS, "alice", b"12", "192.0.2.1")

    run(use)


def test_wrong_password_that_is_repeated_counts_once_and_right_ones_do_not_count() -> None:
    async def use(passwords: Passwords) -> None:
        for _ in range(100):
            assert not await passwords.verify(USERS, "alice", b"wrong", "192.0.2.1")
        for number in range(100):
            name = f"user-{number}"
            users = {name: USERS["alice"]}
            assert await passwords.verify(users, name, b"alice's", "192.0.2.1")

    run(use)


def test_thread_begins_with_the_first_password_and_is_the_only_one() -> None:
    async def use(passwords: Passwords) -> None:
        before = threading.active_count()
        checks = (
            passwords.verify(USERS, "alice", b"%d" % number, f"192.0.2.{number}")
            for number in range(8)
        )
        await asyncio.gather(*checks)
        assert threading.active_count() == before + 1

    run(use)
