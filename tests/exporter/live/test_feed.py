"""What subscribers receive: a snapshot, then deltas; bounded, and the same for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest
from pombo_exporter.hosts.roster import HostEvent
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.live.feed import Feed, topics_of
from pombo_exporter.live.history import Histories
from pombo_exporter.live.sse import ALIVE, GONE, Event, frame
from pombo_exporter.live.subscriber import MAX_QUEUED, Subscriber
from pombo_exporter.live.topics import MAX_EVENTS, MAX_SUMMARIES, Sources, Topic
from pombo_exporter.runtime.moment import Moment
from pombo_exporter.runtime.pacing import Pacer
from pombo_exporter.stats import Counters, ReceiveBuffer
from pombo_wire import Memory, Report, Swap
from support.builders import MONOTONIC, WALL, Agent, Exporter
from support.sse import Received, host_names, parse_events


def received(subscriber: Subscriber) -> list[Received]:
    """Remove and return the events in a subscriber's queue, decoded."""
    taken = take(subscriber)
    return parse_events(b"".join(frame.plain for event in taken for frame in event).decode())


def take(subscriber: Subscriber) -> list[Event]:
    taken = [*subscriber.queue]
    subscriber.queue.clear()
    return taken


def sources(exporter: Exporter) -> Sources:
    """Return the sources of topics, with the clocks of an exporter in a test."""
    intake, buffer = Intake(exporter.roster, lambda: exporter.now), ReceiveBuffer(2, 1)
    counters = Counters(exporter.roster, intake, lambda: 7, buffer, MONOTONIC, WALL)

    def clock() -> Moment:
        return Moment(exporter.now, exporter.wall)

    return Sources(exporter.roster, counters, Histories(), Pacer(), clock)


def run(use: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await use()

    asyncio.run(main())


def test_fleet_gets_a_snapshot_then_only_summaries_that_changed_then_hosts_that_are_gone() -> None:
    exporter = Exporter()
    agents = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(10)]
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        for agent in agents:
            agent.send(memory=Memory(total=8.0))
        with feed.subscribe() as subscriber:
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert (name, len(data["hosts"])) == ("snapshot", 10)
            assert data["hosts"][0]["memory_total_bytes"] == 8
            assert data["hosts"][0]["history"]["step_seconds"] == 5
            assert data["status"]["hosts"] == {"live": 10, "late": 0, "down": 0}
            await feed.publish()
            assert received(subscriber) == []
            exporter.now += 0.01
            agents[3].send()
            Agent(exporter, host="new").send()
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert (name, host_names(data)) == ("delta", ["new", "host-3"])
            assert ["history" in summary for summary in data["hosts"]] == [True, False]
            agents[5].send(bye=True)
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert (name, host_names(data), data["gone"]) == ("delta", [], ["host-5"])

    run(use)


def test_what_happens_to_hosts_is_in_the_snapshot_and_then_in_deltas_once() -> None:
    exporter = Exporter()
    Agent(exporter, host="first", interval=3600.0).send()
    parts = sources(exporter)
    feed = Feed(topics_of(parts))

    def note(event: HostEvent, name: str) -> None:
        parts.log.take(event, exporter.host(name), exporter.now, exporter.wall)

    async def use() -> None:
        note(HostEvent.NEW, "first")
        with feed.subscribe() as subscriber:
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert name == "snapshot"
            assert [event["hosts"] for event in data["events"]] == [["first"]]
            note(HostEvent.DOWN, "first")
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert (name, data["hosts"]) == ("delta", [])
            assert [event["kind"] for event in data["events"]] == ["down"]
            await feed.publish()
            assert received(subscriber) == []
            for _ in range(3 * MAX_EVENTS):
                exporter.now += 20.0
                note(HostEvent.DOWN, "first")
            await feed.publish()
            [(_, data)] = received(subscriber)
            numbers = [event["number"] for event in data["events"]]
            assert len(numbers) == MAX_EVENTS
            assert numbers == sorted(numbers, reverse=True)
            assert numbers[0] == parts.log.serial

    run(use)


def test_delta_has_a_bounded_number_of_summaries_and_no_host_is_left_out() -> None:
    exporter = Exporter()
    agents = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(MAX_SUMMARIES * 3)]
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        for agent in agents:
            agent.send()
        with feed.subscribe() as subscriber:
            for _ in range(3):
                await feed.publish()
            assert len(received(subscriber)[0][1]["hosts"]) == len(agents)
            exporter.now += 0.01
            for agent in agents:
                agent.send()
            seen: list[str] = []
            for _ in range(3):
                await feed.publish()
                for _, data in received(subscriber):
                    assert len(data["hosts"]) <= MAX_SUMMARIES
                    seen += host_names(data)
            assert sorted(seen) == sorted(agent.host for agent in agents)

    run(use)


def test_host_with_another_state_goes_before_hosts_that_reported() -> None:
    exporter = Exporter()
    silent = Agent(exporter, host="silent", interval=1.0)
    agents = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(MAX_SUMMARIES * 2)]
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        for agent in (*agents, silent):
            agent.send()
        with feed.subscribe() as subscriber:
            for _ in range(3):
                await feed.publish()
            received(subscriber)
            exporter.now += 10
            for agent in agents:
                agent.send()
            await feed.publish()
            [(_, data)] = received(subscriber)
            assert host_names(data)[0] == "silent"
            assert data["hosts"][0]["state"] == "down"

    run(use)


def test_datagram_without_a_session_changes_the_counters_in_a_delta() -> None:
    exporter = Exporter()
    agent = Agent(exporter, interval=3600.0)
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        agent.send()
        with feed.subscribe() as subscriber:
            await feed.publish()
            received(subscriber)
            exporter.take(Report("pi", gauges={"x": 1.0}))  # from a script
            await feed.publish()
            [(_, data)] = received(subscriber)
            assert data["hosts"][0]["datagrams_received"] == 2

    run(use)


def test_value_whose_interval_is_over_leaves_the_page_of_its_host() -> None:
    exporter = Exporter()
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        exporter.take(Report("pi", interval=3600.0, gauges={"a": 1.0}, memory=Memory(total=8.0)))
        exporter.take(Report("pi", interval=1.0, gauges={"b": 2.0}, swap=Swap(total=4.0)))
        with feed.subscribe("pi") as one, feed.subscribe() as fleet:
            await feed.publish()
            [(_, data)] = received(one)
            assert data["host"]["gauges"] == {"a": 1, "b": 2}
            take(fleet)
            exporter.wait(4.0)
            await feed.publish()
            [(_, data)] = received(one)
            assert data["host"]["gauges"] == {"a": 1}
            assert data["host"]["swap_total_bytes"] is None
            [(_, data)] = received(fleet)
            assert host_names(data) == ["pi"]
            await feed.publish()
            assert received(one) == []

    run(use)


def test_host_gets_a_snapshot_then_only_fields_that_changed_then_gone() -> None:
    exporter = Exporter()
    agent = Agent(exporter, interval=3600.0)
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        agent.send(gauges={"x": 1.0}, labels={"rack": "7"})
        with feed.subscribe("pi") as subscriber:
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert (name, data["host"]["name"], data["host"]["gauges"]) == (
                *("snapshot", "pi"),
                {"x": 1},
            )
            assert "families" not in data["host"]
            assert data["history"]["step_seconds"] == 5
            await feed.publish()
            assert received(subscriber) == []
            exporter.now += 0.01
            exporter.wall += 0.01
            agent.send(gauges={"x": 2.0})
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert name == "delta"
            assert data["host"] == {
                "last_seen_timestamp_seconds": exporter.wall,
                "datagrams_received": 2,
                "gauges": {"x": 2},
            }
            agent.send(bye=True)
            await feed.publish()
            assert received(subscriber) == [("gone", {})]
            await feed.publish()
            assert received(subscriber) == []
            exporter.wait(1)
            Agent(exporter, session=agent.session + 10**10).send(gauges={"y": 1.0})
            await feed.publish()
            [(name, data)] = received(subscriber)
            assert (name, data["host"]["gauges"]) == ("delta", {"y": 1})

    run(use)


def test_unknown_host_is_gone_from_the_start() -> None:
    feed = Feed(topics_of(sources(Exporter())))

    async def use() -> None:
        with feed.subscribe("nobody") as subscriber:
            await feed.publish()
            assert take(subscriber) == [GONE]
            await feed.publish()
            assert take(subscriber) == []

    run(use)


def test_slow_subscriber_has_a_bounded_queue_and_gets_a_new_snapshot() -> None:
    exporter = Exporter()
    agent = Agent(exporter, interval=3600.0)
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        agent.send()
        with feed.subscribe() as slow, feed.subscribe() as quick:
            for _ in range(20):
                exporter.now += 0.01
                agent.send()
                await feed.publish()
                assert len(slow) <= MAX_QUEUED
                assert len(take(quick)) == 1
            late = received(slow)
            assert late[0][0] == "snapshot"
            seen = exporter.host().sequence.received
            assert late[-1][1]["hosts"][0]["datagrams_received"] == seen

    run(use)


def test_event_is_made_once_for_all_subscribers() -> None:
    exporter = Exporter()
    agent = Agent(exporter, interval=3600.0)
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        agent.send()
        with feed.subscribe() as one, feed.subscribe() as other:
            await feed.publish()
            exporter.now += 0.01
            agent.send()
            await feed.publish()
            taken = take(one)
            assert len(taken) == 2
            assert [*map(id, taken)] == [*map(id, take(other))]

    run(use)


def test_subscriber_that_joins_takes_no_delta_from_the_others() -> None:
    exporter = Exporter()
    agent = Agent(exporter, host="talks", interval=3600.0)
    others = [Agent(exporter, host=f"host-{n}", interval=3600.0) for n in range(MAX_SUMMARIES)]
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        for each in (*others, agent):
            each.send()
        with feed.subscribe() as early:
            for _ in range(2):
                await feed.publish()
            received(early)
            exporter.now += 0.01
            for each in (*others, agent):  # the last one is only in the next delta
                each.send()
            with feed.subscribe():
                await feed.publish()
                [(_, data)] = received(early)
                assert "talks" not in host_names(data)
                await feed.publish()
            [(_, data)] = received(early)
            counts = {host["name"]: host["datagrams_received"] for host in data["hosts"]}
            assert counts["talks"] == 2

    run(use)


def test_subscriber_hears_at_once_and_while_a_snapshot_takes_long_that_the_exporter_is_alive() -> (
    None
):
    async def use() -> None:
        subscriber = Subscriber(alive_interval=0.01)
        async with aclosing(subscriber.events()) as events:
            assert [await anext(events) for _ in range(3)] == [ALIVE] * 3
            subscriber.send_snapshot(GONE)
            found = await anext(events)
            while found is ALIVE:  # on a busy machine
                found = await anext(events)
            assert found is GONE
            subscriber.close()
            assert [event async for event in events if event is not ALIVE] == []

    asyncio.run(use())


class Failing(Topic):
    """A topic whose first update fails."""

    updates = 0

    async def delta(self) -> Event | None:
        self.updates += 1
        if self.updates == 1:
            raise OSError("for once")
        return None

    async def snapshot(self) -> Event:
        return (frame(b"event: snapshot\ndata: {}\n\n"),)


def test_failed_update_is_logged_and_the_next_one_is_published(
    caplog: pytest.LogCaptureFixture,
) -> None:
    parts = sources(Exporter())
    feed = Feed(lambda _: Failing(parts), interval=0.0)

    async def use() -> None:
        publishing = asyncio.create_task(feed.run())
        with feed.subscribe() as subscriber:
            async with aclosing(subscriber.events()) as events:
                assert await anext(events) is ALIVE
                [snapshot] = await anext(events)
                assert parse_events(snapshot.plain.decode()) == [("snapshot", {})]
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)

    run(use)
    assert [line.getMessage() for line in caplog.records] == ["status page update failed"]


@pytest.mark.parametrize("spins", range(6))
def test_feed_ends_when_a_subscriber_joins_in_the_tick_of_its_cancellation(spins: int) -> None:
    published = asyncio.Event()

    async def sleep(_: float) -> None:
        # Nothing is awaited here, so the feed runs on until it waits for a subscriber.
        published.set()

    feed = Feed(topics_of(sources(Exporter())), sleep=sleep)

    async def use() -> None:
        publishing = asyncio.create_task(feed.run())
        await published.wait()
        with feed.subscribe():
            for _ in range(spins):
                await asyncio.sleep(0)
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    run(use)


def test_close_ends_subscribers_after_their_queue_and_later_ones_at_once() -> None:
    exporter = Exporter()
    feed = Feed(topics_of(sources(exporter)))

    async def use() -> None:
        with feed.subscribe() as subscriber:
            await feed.publish()
            feed.close()
            assert len([event async for event in subscriber.events()]) == 1
        with feed.subscribe() as late:
            assert [event async for event in late.events()] == []
        assert feed.subscribers == 0

    run(use)
