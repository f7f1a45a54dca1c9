"""Open status pages: they have received what the API would answer now."""

import asyncio
from typing import Any

import msgspec
from pombo_exporter.hosts.host import State
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.live.feed import Feed, topics_of
from pombo_exporter.live.history import Histories
from pombo_exporter.live.subscriber import Subscriber
from pombo_exporter.live.topics import Sources
from pombo_exporter.runtime.moment import Moment
from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_exporter.stats import Counters, ReceiveBuffer
from pombo_exporter.views import describe
from support.builders import MONOTONIC, WALL, Exporter
from support.sse import Received, parse_events

#: The host that has a page.
HOST = "pi"

#: What changes with time alone: pages count it themselves.
_AGE = "last_seen_age_seconds"


class Pages:
    """A page of all hosts and one of a host, which are open for as long as this exists."""

    def __init__(self, exporter: Exporter, intake: Intake) -> None:
        counters = Counters(
            exporter.roster, intake, lambda: 0, ReceiveBuffer(2, 1), MONOTONIC, WALL
        )

        def clock() -> Moment:
            return Moment(exporter.now, exporter.wall)

        sources = Sources(exporter.roster, counters, Histories(), Pacer(), clock)
        self._exporter = exporter
        self._feed = Feed(topics_of(sources))
        self._subscriptions = self._feed.subscribe(), self._feed.subscribe(HOST)
        self._fleet, self._one = (each.__enter__() for each in self._subscriptions)
        self._summaries: dict[str, Any] = {}
        self._fields: dict[str, Any] = {}

    def check(self) -> None:
        """Publish, and compare the pages with what the API answers."""
        asyncio.run(self._feed.publish())
        for name, data in _received(self._fleet):
            if name == "snapshot":
                self._summaries.clear()
            for gone in data["gone"]:
                del self._summaries[gone]
            self._summaries |= {each["name"]: _lasting(each) for each in data["hosts"]}
        for name, data in _received(self._one):
            if name != "delta":
                self._fields.clear()
            if name != "gone":
                self._fields |= _lasting(data["host"])
        exporter = self._exporter
        listed = [*exporter.roster.listed()]
        expected = map(msgspec.to_builtins, describe.summaries(listed, exporter.now))
        assert self._summaries == {each["name"]: _lasting(each) for each in expected}
        host = exporter.roster.find(HOST)
        if host is None:
            assert not self._fields
        elif host.state_at(exporter.now) is State.DOWN or host.earliest_expiry() > exporter.now:
            # A part of an agent's report that has ended leaves the page with the next report.
            fields = filter(None, describe.detail(host.copy(), exporter.now, StepClock()))
            values = {name: msgspec.json.decode(value) for name, value in fields}
            assert self._fields == _lasting(values)


def _lasting(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in fields.items() if name not in {_AGE, "history"}}


def _received(subscriber: Subscriber) -> list[Received]:
    """Remove and return the events in a subscriber's queue, decoded."""
    events = [*subscriber.queue]
    subscriber.queue.clear()
    return parse_events(b"".join(frame.plain for event in events for frame in event).decode())
