"""What happens to hosts in a roster becomes announcements that do not flap."""

from collections import deque
from dataclasses import dataclass, field
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.remembered import Remembered, remembered
from pombo_exporter.hosts.roster import HostEvent
from pombo_exporter.hosts.severity import DEFAULTS, Thresholds
from pombo_exporter.notify.alerts import Alert, Kind
from pombo_exporter.notify.disks import Threshold, scan, threshold_of
from pombo_exporter.notify.events import CONFLICT_SECONDS, GONE_AFTER, MOST_DISKS, Problems
from pombo_exporter.runtime.pacing import StepClock
from pombo_wire import Filesystems, Report
from support.builders import OTHER_ADDRESS, SESSION, WALL, Agent, Exporter, restarted

HOLD = 30.0
DOWN, CONFLICT, DISK = Kind.DOWN, Kind.CONFLICT, Kind.DISK
THRESHOLD = Threshold(0.97, 0.95)


@dataclass
class Watched(Exporter):
    """An exporter whose problems are announced each second."""

    limits: Limits = field(default_factory=lambda: Limits(forget_after=600.0))
    problems: Problems = field(init=False)
    announced: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.problems = Problems(HOLD, self.limits.forget_after, self.limits.hosts)
        super().__post_init__()

    def _record(self, event: HostEvent, host: Host) -> None:
        super()._record(event, host)
        if self.problems.uses(event):
            self.problems.take(event, host, self.now, self.wall)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            super().wait(min(1.0, until - self.now))
            self.announce()

    def announce(self) -> None:
        self.announced += filter(None, self.problems.due(self.now, self.wall, StepClock()))

    def scan(self) -> None:
        snapshot = self.roster.snapshot(self.now, self.wall)
        deque(scan(snapshot, self.problems, THRESHOLD, StepClock()), maxlen=0)

    def said(self) -> list[tuple[Kind, str, bool]]:
        """Return the kind and the host of each announcement, and whether it is firing."""
        return [(each.key.kind, each.key.host, each.is_firing) for each in self.announced]


def agent(**changes: object) -> tuple[Watched, Agent]:
    """Return an exporter and an agent that has reported for a minute."""
    watched = Watched()
    found = Agent(watched, **changes)  # type: ignore[arg-type]
    found.run(60)
    return watched, found


# --- down ---


def test_host_that_is_silent_is_announced_once_since_its_last_report() -> None:
    watched, _ = agent()
    last = watched.wall
    watched.wait(15 + HOLD - 1)
    assert watched.said() == []
    watched.wait(2)
    assert watched.said() == [(DOWN, "pi", True)]
    watched.wait(300)
    [found] = watched.announced
    assert found.starts_at == round(last)
    assert found.words.summary == "pi is down: its last report came at 2027-01-15T08:01:00Z"
    assert "from 192.0.2.1" in found.words.description


def test_host_that_reports_again_is_announced_when_it_has_reported_for_a_while() -> None:
    watched, found = agent()
    watched.wait(60)
    back = watched.wall
    found.run(HOLD)
    assert watched.said() == [(DOWN, "pi", True)]
    found.run(10)
    assert watched.said() == [(DOWN, "pi", True), (DOWN, "pi", False)]
    [began, ended] = watched.announced
    assert ended.starts_at == began.starts_at
    assert ended.key.fingerprint == began.key.fingerprint
    assert ended.ends_at is not None
    assert back <= ended.ends_at <= back + 10


def test_host_that_flaps_is_announced_once() -> None:
    watched, found = agent()
    watched.wait(60)
    for _ in range(20):
        found.run(10)
        watched.wait(20)
    assert watched.said() == [(DOWN, "pi", True)]
    found.run(60)
    assert watched.said() == [(DOWN, "pi", True), (DOWN, "pi", False)]


def test_short_silence_is_not_announced() -> None:
    watched, found = agent()
    for _ in range(20):
        watched.wait(30)
        found.run(10)
    assert watched.said() == []


def test_agent_that_says_bye_is_not_down() -> None:
    watched, found = agent()
    found.send(bye=True)
    watched.wait(300)
    assert watched.said() == []


def test_restarted_agent_of_a_host_that_was_down_ends_that() -> None:
    watched, found = agent()
    watched.wait(60)
    restarted(found).run(60)
    assert watched.said() == [(DOWN, "pi", True), (DOWN, "pi", False)]


def test_host_that_was_forgotten_while_it_was_down_is_still_down_for_a_day() -> None:
    watched, _ = agent()
    watched.wait(700)
    assert "pi" not in watched.roster.hosts
    assert watched.said() == [(DOWN, "pi", True)]
    watched.wait(GONE_AFTER - 720)
    assert watched.said() == [(DOWN, "pi", True)]
    watched.wait(60)
    assert watched.said() == [(DOWN, "pi", True), (DOWN, "pi", False)]
    assert watched.announced[-1].words.summary == "pi has not reported for a day"


def test_host_that_was_forgotten_and_is_back_ends_that() -> None:
    watched, found = agent()
    watched.wait(700)
    restarted(found).run(60)
    assert watched.said() == [(DOWN, "pi", True), (DOWN, "pi", False)]
    watched.wait(GONE_AFTER)
    assert watched.said()[2:] == [(DOWN, "pi", True), (DOWN, "pi", False)]


def test_host_that_is_deleted_is_announced_to_be_removed() -> None:
    watched, _ = agent()
    watched.wait(60)
    assert watched.roster.forget("pi", watched.now)
    watched.wait(HOLD + 1)
    assert watched.said() == [(DOWN, "pi", True), (DOWN, "pi", False)]
    assert watched.announced[-1].words.summary == "pi was removed from the exporter"


def test_host_of_scripts_alone_is_not_announced() -> None:
    watched = Watched()
    for _ in range(10):
        watched.take(Report("script", gauges={"x": 1.0}))
        watched.wait(5)
    watched.wait(300)
    assert watched.said() == []


def test_name_that_was_sent_once_is_not_announced() -> None:
    watched = Watched()
    for number in range(100):
        watched.take(Report(f"invented-{number}", session=SESSION, seq=0, interval=5.0))
    watched.wait(300)
    assert watched.said() == []


def test_problems_are_bounded() -> None:
    watched = Watched(Limits(hosts=50, forget_after=20.0))
    for start in range(0, 500, 50):
        agents = [Agent(watched, f"host-{start + number}") for number in range(50)]
        for each in agents:
            each.send()
        watched.wait(5)
        for each in agents:
            each.send()
        watched.wait(100)
    known = [each.key for each in watched.announced if each.key in watched.problems[DOWN]]
    assert 0 < len(known) <= 50
    assert watched.problems.left_out > 0


def test_names_that_come_and_go_keep_no_host_from_being_announced() -> None:
    watched = Watched(Limits(hosts=20, forget_after=100.0))
    real = Agent(watched, "real")
    for start in range(0, 100, 10):
        invented = [Agent(watched, f"invented-{start + number}") for number in range(10)]
        for each in invented:
            each.send()
        real.run(5)
        for each in invented:
            each.send()
        real.run(120)
    assert (DOWN, "invented-0", True) in watched.said()
    assert not any(host == "real" for _, host, _ in watched.said())
    watched.wait(60)
    assert watched.said()[-1] == (DOWN, "real", True)
    real.run(60)
    assert watched.said()[-1] == (DOWN, "real", False)


# --- after a restart ---


def restart(watched: Watched, stopped_for: float) -> Watched:
    """Return the next run of an exporter, which has the state file of the last one."""
    records: list[Remembered] = [*filter(None, map(remembered, watched.roster.hosts.values()))]
    wall = watched.wall + stopped_for
    after = Watched(now=10.0, wall=wall)
    for record in records:
        assert after.roster.restore(record, after.now)
    after.problems.restore(after.roster.hosts.values(), watched.wall, after.now)
    return after


def test_host_that_was_announced_before_a_restart_is_not_announced_again_but_its_end_is() -> None:
    watched, found = agent()
    watched.wait(60)
    [began] = watched.announced
    after = restart(watched, 20)
    after.wait(120)
    assert after.announced == []
    restarted(Agent(after, session=found.session)).run(60)
    [ended] = after.announced
    assert (ended.key, ended.starts_at, ended.is_firing) == (began.key, began.starts_at, False)


def test_host_that_went_silent_while_the_exporter_was_stopped_is_announced() -> None:
    watched, _ = agent()
    after = restart(watched, 20)
    after.wait(15 + HOLD - 1)
    assert after.announced == []
    after.wait(5)
    assert after.said() == [(DOWN, "pi", True)]
    assert after.announced[0].starts_at == round(watched.wall)


def test_host_that_reports_after_a_restart_is_not_announced() -> None:
    watched, found = agent()
    after = restart(watched, 20)
    Agent(after, session=found.session, seq=found.seq + 4).run(120)
    assert after.announced == []


# --- two agents with one name ---


def test_two_agents_with_one_name_are_announced_and_their_end_too() -> None:
    watched, older = agent()
    younger = Agent(watched, session=SESSION + 10**9, address=OTHER_ADDRESS)
    for _ in range(12):
        watched.refuses(younger.report(), OTHER_ADDRESS)
        older.send()
        watched.wait(5)
    assert watched.said() == [(CONFLICT, "pi", True)]
    [found] = watched.announced
    assert found.starts_at == WALL + 60
    assert found.words.summary == "Two agents report as pi, from 192.0.2.1 and 192.0.2.2"
    older.run(CONFLICT_SECONDS - 60)
    assert len(watched.announced) == 1
    older.run(120)
    assert watched.said() == [(CONFLICT, "pi", True), (CONFLICT, "pi", False)]


def test_one_datagram_of_another_agent_is_not_announced() -> None:
    watched, older = agent()
    watched.refuses(Agent(watched, session=SESSION + 10**9).report(), OTHER_ADDRESS)
    older.run(CONFLICT_SECONDS + 120)
    assert watched.said() == []


# --- disks ---


def filesystems(*used: tuple[str, float], readonly: float = 0.0) -> Filesystems:
    """Return filesystems by mount point and the share of each that is used."""
    return Filesystems(
        mountpoint=tuple(path for path, _ in used),
        device=tuple(f"/dev/{number}" for number in range(len(used))),
        fstype=("ext4",) * len(used),
        size=(1e12,) * len(used),
        free=tuple(1e12 * (1 - ratio) for _, ratio in used),
        available=tuple(1e12 * (1 - ratio) for _, ratio in used),
        readonly=(readonly,) * len(used),
    )


def fill(
    watched: Watched, found: Agent, seconds: float, *used: tuple[str, float], readonly: float = 0.0
) -> None:
    """Report filesystems for a while; they are looked at every 15 s."""
    for _ in range(int(seconds / 15)):
        found.run(15, filesystems=filesystems(*used, readonly=readonly))
        watched.scan()


def test_full_disk_is_announced_by_its_mount_point_and_so_is_its_end() -> None:
    watched, found = agent()
    fill(watched, found, 30, ("/", 0.5), ("/var", 0.98))
    assert watched.said() == []
    fill(watched, found, 30, ("/", 0.5), ("/var", 0.98))
    [began] = watched.announced
    assert (began.key.kind, began.key.host, began.key.mountpoint) == (DISK, "pi", "/var")
    assert began.words.summary == "/var on pi is 98 % full"
    fill(watched, found, 60, ("/", 0.5), ("/var", 0.7))
    assert [each.is_firing for each in watched.announced] == [True, False]
    assert watched.announced[-1].words.summary == "/var on pi has room again"


def test_disk_that_is_close_to_the_threshold_is_announced_once() -> None:
    watched, found = agent()
    for _ in range(20):
        fill(watched, found, 15, ("/", 0.971))
        fill(watched, found, 15, ("/", 0.969))
        fill(watched, found, 15, ("/", 0.951))
    assert watched.said() == [(DISK, "pi", True)]
    fill(watched, found, 60, ("/", 0.949))
    assert watched.said() == [(DISK, "pi", True), (DISK, "pi", False)]


def test_disk_below_the_threshold_and_one_that_is_read_only_are_not_announced() -> None:
    watched, found = agent()
    fill(watched, found, 120, ("/", 0.969))
    fill(watched, found, 120, ("/", 1.0), readonly=1.0)
    assert watched.said() == []


def test_threshold_is_that_of_a_critical_disk_and_may_be_off() -> None:
    assert threshold_of(DEFAULTS["disk"]) == (0.97, 0.97 * 0.98)
    assert threshold_of(Thresholds(0.5)) == (inf, inf)


def test_disk_that_is_no_longer_mounted_ends_that() -> None:
    watched, found = agent()
    fill(watched, found, 60, ("/", 0.5), ("/mnt", 1.0))
    fill(watched, found, 60, ("/", 0.5))
    assert watched.said() == [(DISK, "pi", True), (DISK, "pi", False)]


def test_full_disk_of_a_host_that_is_down_stays_as_it_was() -> None:
    watched, found = agent()
    fill(watched, found, 60, ("/", 1.0))
    for _ in range(10):
        watched.wait(15)
        watched.scan()
    assert watched.said() == [(DISK, "pi", True), (DOWN, "pi", True)]


def test_full_disk_of_a_host_that_says_bye_ends_that() -> None:
    watched, found = agent()
    fill(watched, found, 60, ("/", 1.0))
    found.send(bye=True)
    watched.wait(HOLD + 1)
    assert watched.said() == [(DISK, "pi", True), (DISK, "pi", False)]
    assert watched.announced[-1].words.summary == "The agent of pi was stopped"


def test_disks_of_one_host_are_bounded() -> None:
    watched, found = agent()
    many = [(f"/{number}", 0.98 + number / 1e4) for number in range(40)]
    for _ in range(4):
        watched.wait(5)
        table = filesystems(*many)
        found.send_parts({"filesystems": table}, packed=True)
        watched.wait(10)
        found.send_parts({"filesystems": table}, packed=True)
        watched.scan()
    assert len(watched.announced) == MOST_DISKS
    assert {each.key.mountpoint for each in watched.announced} == {
        f"/{number}" for number in range(40 - MOST_DISKS, 40)
    }


def test_disks_of_many_hosts_are_each_their_own() -> None:
    watched = Watched()
    agents = [Agent(watched, f"host-{number}") for number in range(30)]
    for _ in range(8):
        watched.wait(5)
        for number, each in enumerate(agents):
            full = 0.99 if number % 3 == 0 else 0.5
            each.send(filesystems=filesystems(("/", 0.2), (f"/data{number}", full)))
        watched.scan()
    found = [(each.key.host, each.key.mountpoint) for each in watched.announced]
    assert found == [(f"host-{number}", f"/data{number}") for number in range(0, 30, 3)]


# --- any history ---

STEPS = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["reports", "is silent", "restarts", "says bye", "is deleted", "has a double"]),
    st.sampled_from([2.0, 12.0, 40.0, 700.0]),
    st.sampled_from([0.5, 0.96, 0.99]),
)


@settings(max_examples=20)
@given(st.lists(STEPS, max_size=25))
def test_each_problem_begins_and_ends_in_turn_whatever_happens(
    steps: list[tuple[str, str, float, float]],
) -> None:
    watched = Watched()
    agents = {name: Agent(watched, name) for name in "ab"}
    for name, what, seconds, used in steps:
        step(watched, agents, name, (what, seconds, used))
    watched.wait(GONE_AFTER + 800)
    lasting: dict[str, Alert] = {}
    for each in watched.announced:
        key = each.key.fingerprint
        if each.is_firing:
            assert key not in lasting, "it was announced twice"
            lasting[key] = each
        else:
            began = lasting.pop(key)
            assert began.starts_at == each.starts_at
            assert each.ends_at is not None
            assert each.ends_at >= each.starts_at
    assert lasting == {}, "it never ends"


def step(
    watched: Watched, agents: dict[str, Agent], name: str, does: tuple[str, float, float]
) -> None:
    what, seconds, used = does
    agent = agents[name]
    if what == "is silent":
        watched.wait(seconds)
    elif what == "says bye":
        watched.refuses(agent.report(bye=True))
    elif what == "is deleted":
        watched.roster.forget(name, watched.now)
    elif what == "has a double":
        double = Agent(watched, name, session=agent.session + 1)
        for _ in range(int(seconds / 5)):
            watched.wait(5)
            watched.refuses(double.report(), OTHER_ADDRESS)
            watched.refuses(agent.report())
    else:
        if what == "restarts":
            agent = agents[name] = restarted(agent)
        for _ in range(int(seconds / 5)):
            watched.wait(5)
            watched.refuses(agent.report(filesystems=filesystems(("/", used))))
            watched.scan()
    watched.announce()
