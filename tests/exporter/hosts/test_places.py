"""Which hosts have a place when many names are invented, and who gives way to whom."""

from collections import Counter

import pytest
from pombo_exporter.hosts.holder import Claim
from pombo_exporter.hosts.limits import AdmissionError, Limits, RefusalReason
from pombo_exporter.hosts.places import Places
from pombo_exporter.hosts.roster import HostEvent
from pombo_wire import Memory, Report, encode
from pombo_wire.reading import read
from support.builders import ADDRESS, OTHER_ADDRESS, Agent, Exporter


class Flood:
    """Invents names; none is sent twice."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._sent = 0
        self.refused: Counter[str | None] = Counter()

    def send(self, count: int, **sections: object) -> None:
        for _ in range(count):
            self._sent += 1
            name, session = f"invented-{self._sent}", 2**63 - 1
            report = Report(name, session=session, seq=0, interval=3600.0, **sections)  # type: ignore[arg-type]
            self.refused[self._exporter.refuses(report, OTHER_ADDRESS)] += 1


def fleet(exporter: Exporter, count: int) -> list[Agent]:
    return [Agent(exporter, f"agent-{number}", session=number) for number in range(count)]


def refusals(agents: list[Agent]) -> Counter[str | None]:
    """Let each of these agents report; return how many were accepted and refused."""
    return Counter(agent.exporter.refuses(agent.report()) for agent in agents)


def seal(agent: Agent) -> str | None:
    """Send a report of a sealed agent; return the reason of its refusal."""
    exporter, report = agent.exporter, agent.report()
    salt = agent.host.encode()
    claim = Claim(agent.session, salt, str(agent.seq).encode(), generation=0)
    try:
        exporter.roster.admit(read(encode(report)), ADDRESS, exporter.now, exporter.wall, claim)
    except AdmissionError as error:
        return error.reason
    return None


def test_invented_names_do_not_keep_new_hosts_out() -> None:
    exporter = Exporter(Limits(hosts=200))
    old = fleet(exporter, 50)
    for _ in range(2):
        refusals(old)
        exporter.wait(5)
    flood = Flood(exporter)
    flood.send(2000)
    assert len(exporter.roster.hosts) == 200
    new = [Agent(exporter, f"new-{number}") for number in range(100)]
    for accepted in (0, 100, 100):
        flood.send(1000)
        assert refusals(new)[None] == accepted
        assert refusals(old) == {None: 50}
        exporter.wait(5)
    assert {agent.host for agent in (*old, *new)} <= exporter.roster.hosts.keys()
    assert exporter.roster.evictions == 100
    assert exporter.events().count(HostEvent.EVICTED) == 100
    assert flood.refused.keys() <= {None, RefusalReason.HOST_LIMIT, RefusalReason.NEW_NAME_LIMIT}


def test_old_hosts_are_back_within_two_intervals_of_a_restart_during_a_flood() -> None:
    exporter = Exporter(Limits(hosts=300))
    flood, old = Flood(exporter), fleet(exporter, 200)
    flood.send(1000)
    for accepted in (0, 200, 200, 200):
        for _ in range(5):
            flood.send(200)
            exporter.wait(1)
        assert refusals(old)[None] == accepted
    assert {agent.host for agent in old} <= exporter.roster.hosts.keys()


def test_whole_fleet_starts_at_once() -> None:
    exporter = Exporter(Limits(hosts=300))
    agents = fleet(exporter, 300)
    for _ in range(3):
        assert refusals(agents) == {None: 300}
        exporter.wait(5)


def test_budget_of_new_names_is_a_refusal_of_its_own_until_the_name_is_heard_again() -> None:
    exporter = Exporter(Limits(hosts=20, forget_after=0))
    for round_ in range(3):
        names = [Agent(exporter, f"{round_}-{number}") for number in range(20)]
        found = refusals(names)
        for agent in names:
            exporter.roster.forget(agent.host, exporter.now)
        assert found == ({RefusalReason.NEW_NAME_LIMIT: 20} if round_ else {None: 20})
    assert refusals(names) == {RefusalReason.NEW_NAME_LIMIT: 20}, "in the same moment"
    exporter.wait(0.2)
    assert refusals(names) == {None: 20}
    exporter.wait(2)
    assert refusals([Agent(exporter, "later")]) == {RefusalReason.HOST_LIMIT: 1}


def test_names_heard_in_one_interval_only_give_way_and_others_do_not() -> None:
    exporter = Exporter(Limits(hosts=3))
    once, twice, settled = (Agent(exporter, name) for name in ("once", "twice", "settled"))
    settled.send()
    exporter.wait(5)
    settled.send()
    twice.send()
    twice.send()
    exporter.wait(1)
    once.send()
    for name in ("a", "b", "c"):
        new = Agent(exporter, name, interval=3600.0)
        assert exporter.refuses(new.report()) == RefusalReason.HOST_LIMIT
        exporter.wait(0.5)
        assert exporter.refuses(new.report()) is None
    assert [*exporter.roster.hosts] == ["settled", "b", "c"]


def test_host_that_is_down_for_longest_gives_way() -> None:
    exporter = Exporter(Limits(hosts=3))
    first, second, live = (Agent(exporter, name) for name in ("first", "second", "live"))
    for agents in ([first, second, live], [first, second, live], [second, live], [live]):
        refusals(agents)
        exporter.wait(5)
    for _ in range(4):
        live.run(5)
    for name, kept in (("a", ["second", "live", "a"]), ("b", ["live", "a", "b"])):
        new = Agent(exporter, name)
        for refusal in (RefusalReason.HOST_LIMIT, None, None):
            assert exporter.refuses(new.report()) == refusal
            live.run(3)
        assert [*exporter.roster.hosts] == kept
    assert exporter.refuses(Agent(exporter, "b").report()) is None


def test_host_that_is_back_does_not_give_way() -> None:
    exporter = Exporter(Limits(hosts=1))
    agent = Agent(exporter)
    agent.run(10)
    exporter.wait(60)
    agent.send()
    new = Agent(exporter, "new")
    for _ in range(3):
        assert exporter.refuses(new.report()) == RefusalReason.HOST_LIMIT
        agent.run(5)


def test_sealed_names_give_way_to_sealed_ones_only() -> None:
    exporter = Exporter(Limits(hosts=2))
    agents = [Agent(exporter, name, session=1) for name in ("a", "b")]
    for agent in agents:
        assert seal(agent) is None
    plain = Agent(exporter, "plain")
    for _ in range(20):
        exporter.wait(5)
        assert exporter.refuses(plain.report()) == RefusalReason.HOST_LIMIT
    assert seal(Agent(exporter, "c", session=1)) is None, "both are down"
    assert [*exporter.roster.hosts] == ["b", "c"]
    seal(agents[1])
    assert seal(Agent(exporter, "d", session=1)) == RefusalReason.HOST_LIMIT


def test_sealed_name_needs_no_budget_and_displaces_plain_ones_on_probation() -> None:
    exporter = Exporter(Limits(hosts=10))
    Flood(exporter).send(50)
    for number in range(10):
        assert seal(Agent(exporter, f"sealed-{number}", session=1)) is None
    assert exporter.roster.evictions == 10


def test_plain_name_that_is_sealed_later_is_no_longer_on_probation() -> None:
    exporter = Exporter(Limits(hosts=1))
    agent = Agent(exporter, session=1)
    agent.send()
    assert seal(agent) is None
    plain = Agent(exporter, "plain")
    for _ in range(2):
        assert exporter.refuses(plain.report()) == RefusalReason.HOST_LIMIT
        exporter.wait(1)


def test_values_of_invented_names_give_way_when_there_are_no_bytes() -> None:
    exporter = Exporter(Limits(hosts=1000, bytes=200_000))
    agent = Agent(exporter)
    agent.run(10)
    flood = Flood(exporter)
    gauges = {f"x{number}": 1.0 for number in range(20)}
    flood.send(200, gauges=gauges)
    assert flood.refused[RefusalReason.BYTES_LIMIT] > 100
    new = Agent(exporter, "new")
    assert exporter.refuses(new.report(memory=Memory(total=8))) == RefusalReason.BYTES_LIMIT
    exporter.wait(5)
    for each in (agent, new):
        assert exporter.refuses(each.report(memory=Memory(total=8))) is None
        assert exporter.samples(each.host)["host_memory_total_bytes", ()] == 8
    assert exporter.roster.booked_bytes <= 200_000


def test_name_that_gave_way_lost_nothing() -> None:
    exporter = Exporter(Limits(hosts=1))
    one, two = Agent(exporter, "one"), Agent(exporter, "two")
    one.send()
    for _ in range(2):
        exporter.wait(1)
        exporter.refuses(two.report())
    for _ in range(2):
        exporter.wait(1)
        exporter.refuses(one.report())
    exporter.wait(20)
    assert exporter.host("one").sequence.lost == 0


@pytest.mark.parametrize("name", ["a", "ä" * 255])
def test_name_is_noted_when_it_is_refused(name: str) -> None:
    places = Places(1)
    assert not places.again(name, 10.0)
    assert not places.again(name, 10.05)
    assert places.again(name, 10.3)
    assert places.again(name, 6000.0)
    assert not places.again("other", 10.3)


def test_nothing_is_kept_of_names_that_are_gone() -> None:
    exporter = Exporter(Limits(hosts=50, forget_after=10))
    refusals(fleet(exporter, 50))
    exporter.wait(30)
    assert exporter.roster.hosts == {}
    places = exporter.roster._places  # noqa: SLF001 - nothing else shows it
    assert not [*places.yielding(is_sealed=True)]
