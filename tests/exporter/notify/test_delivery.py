"""Alerts reach a real receiver; heartbeats are sent while the exporter lives."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from pombo_exporter.notify.alerts import Alert, Key, Kind, Words
from pombo_exporter.notify.client import Client
from pombo_exporter.notify.delivery import Courier
from pombo_exporter.notify.grouping import Links
from pombo_exporter.notify.heartbeat import Heartbeat
from pombo_exporter.notify.queue import Queue
from pombo_exporter.notify.targets import target
from support.receivers import Answer, Receiver
from support.waiting import until

LINKS = Links("http://pombo", lambda name: f"http://pombo/host?name={name}")


def down(name: str) -> Alert:
    return Alert(Key(Kind.DOWN, name), {}, 1_800_000_000.0, Words("", ""))


def with_client(use: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        client = Client(lambda: 0.0)
        try:
            await use(client)
        finally:
            await client.close()

    asyncio.run(main())


def courier(receiver: Receiver, client: Client) -> Courier:
    queue = Queue(100, lambda: 0.0)
    return Courier(target(receiver.url), queue, client, LINKS, lambda _: False)


def test_alert_that_a_receiver_did_not_take_is_sent_again() -> None:
    async def use(client: Client) -> None:
        receiver.answer = lambda number: Answer(503 if number < 2 else 200)
        found = courier(receiver, client)
        task = asyncio.create_task(found.run())
        found.put(down("a"), monotonic())
        await until(lambda: found.stats().queued == 0)
        task.cancel()
        stats = found.stats()
        assert (stats.requests, stats.failed, stats.dropped) == (3, 2, 0)
        assert stats.last_success > 0

    with Receiver() as receiver:
        with_client(use)
        assert [name for _, _, name in receiver.said()] == ["a", "a", "a"]


def test_alert_that_is_refused_for_good_is_dropped_and_the_next_one_is_sent() -> None:
    async def use(client: Client) -> None:
        receiver.answer = lambda number: Answer(400 if number == 0 else 200)
        found = courier(receiver, client)
        for name in "ab":
            found.put(down(name), monotonic())
        task = asyncio.create_task(found.run())
        await until(lambda: found.stats().queued == 0)
        task.cancel()
        stats = found.stats()
        assert (stats.requests, stats.failed, stats.dropped) == (2, 1, 1)

    with Receiver() as receiver:
        with_client(use)
        assert [name for _, _, name in receiver.said()] == ["a", "b"]


def test_receiver_that_never_answers_keeps_no_other_waiting() -> None:
    async def use(client: Client) -> None:
        slow.answer = lambda _: Answer(delay=60.0)
        couriers = [courier(each, client) for each in (slow, fast)]
        tasks = [asyncio.create_task(each.run()) for each in couriers]
        for number in range(20):
            for each in couriers:
                each.put(down(f"host-{number}"), monotonic())
        await until(lambda: couriers[1].stats().queued == 0)
        assert couriers[0].stats().queued == 20
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    with Receiver() as slow, Receiver() as fast:
        with_client(use)
        assert len(fast.requests) == 20


def test_heartbeats_stop_while_the_exporter_does_not_live() -> None:
    lives = True

    async def use(client: Client) -> None:
        nonlocal lives
        heartbeat = Heartbeat(target(receiver.url), client, 0.05, lambda: lives)
        task = asyncio.create_task(heartbeat.run())
        await until(lambda: len(receiver.requests) >= 3)
        lives = False
        asked = len(receiver.requests) + 1  # one may be under way
        await asyncio.sleep(0.5)
        assert len(receiver.requests) <= asked
        lives = True
        await until(lambda: len(receiver.requests) > asked)
        task.cancel()
        assert heartbeat.stats().failed == 0
        assert heartbeat.stats().last_success > 0

    with Receiver() as receiver:
        with_client(use)
        assert {each.method for each in receiver.requests} == {"GET"}


def test_heartbeat_that_fails_is_sent_again_before_the_next_one() -> None:
    async def use(client: Client) -> None:
        receiver.answer = lambda number: Answer(500 if number == 0 else 200)
        heartbeat = Heartbeat(target(receiver.url), client, 3600.0, lambda: True)
        task = asyncio.create_task(heartbeat.run())
        await until(lambda: heartbeat.stats().last_success > 0)
        task.cancel()
        assert (heartbeat.stats().requests, heartbeat.stats().failed) == (2, 1)

    with Receiver() as receiver:
        with_client(use)
