"""The feed: subscribe to the fleet or to a host, and receive a snapshot, then deltas.

Nothing here knows HTTP. One task publishes for all subscribers, at most once a second and for at
most a tenth of the time, so neither a large fleet nor many subscribers keep the socket waiting.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Final

from pombo_exporter.live.subscriber import Subscriber
from pombo_exporter.live.topics import FleetTopic, HostTopic, Sources, Topic
from pombo_exporter.runtime.pacing import rest_after

log = logging.getLogger(__name__)

INTERVAL: Final = 1.0  # seconds between two deltas
_MIN_REST: Final = 0.1  # seconds; subscribers that come together share a snapshot


class Feed:
    """All topics that have subscribers."""

    def __init__(
        self,
        topic: Callable[[str | None], Topic],
        interval: float = INTERVAL,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take a function that returns the topic of a host's name, or of None for the fleet.

        ``sleep`` waits between publishing and the wait for the next interval or subscriber.
        """
        self._topic, self._interval = topic, interval
        self._clock, self._sleep = clock, sleep
        self._topics: dict[str | None, Topic] = {}
        self._subscribed = asyncio.Event()
        self._is_closed = False

    @property
    def subscribers(self) -> int:
        """The number of subscribers."""
        return sum(len(topic.subscribers) for topic in self._topics.values())

    @contextmanager
    def subscribe(self, host: str | None = None) -> Iterator[Subscriber]:
        """Subscribe to a host by its name, or else to the fleet, while the context lasts."""
        topic = self._topics.get(host)
        if topic is None:
            topic = self._topics[host] = self._topic(host)
        subscriber = Subscriber()
        if self._is_closed:
            subscriber.close()
        topic.subscribers.add(subscriber)
        self._subscribed.set()
        try:
            yield subscriber
        finally:
            topic.subscribers.discard(subscriber)
            if not topic.subscribers and self._topics.get(host) is topic:
                del self._topics[host]

    def close(self) -> None:
        """Close all subscribers, also those that come later."""
        self._is_closed = True
        for topic in self._topics.values():
            for subscriber in topic.subscribers:
                subscriber.close()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            started = self._clock()
            self._subscribed.clear()
            await self.publish()
            took = self._clock() - started
            await self._sleep(max(_MIN_REST, rest_after(took)))
            remaining = self._interval - (self._clock() - started)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, remaining)):
                    await self._subscribed.wait()

    async def publish(self) -> None:
        """Publish every topic once. One that fails starts over with a snapshot."""
        for topic in [*self._topics.values()]:
            try:
                await topic.publish()
            except Exception:  # a bug in one view must not end the updates of all others
                log.exception("status page update failed")
                for subscriber in topic.subscribers:
                    subscriber.needs_snapshot = True


def topics_of(sources: Sources) -> Callable[[str | None], Topic]:
    """Return a function that returns the topics of an exporter."""

    def topic(host: str | None) -> Topic:
        return FleetTopic(sources) if host is None else HostTopic(sources, host)

    return topic
