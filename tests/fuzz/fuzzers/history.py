"""Histories: datagrams of several agents, silence, restarts and scrapes, with low limits.

An input is lines of text, one for each step, and has its fields between tabs:

==============================================  ================================================
``packed``, address, header, layout, numbers…   sends a packed datagram of these lines
``plain``, address, object                      sends a plain datagram
``sealed``, address, object, inside…            seals and sends a packed or plain one
``raw``, address, bytes                         sends these bytes
``wait``, seconds                               advances the clocks, and sweeps each second
``clock``, seconds                              sets the time of day forward or back
``forget``, name                                forgets a host, as the API does
``revoke``, name, generation                    denies a name, or generations below, as SIGHUP does
``snapshot``                                    takes a snapshot, which is read at the end
``publish``                                     checks what open status pages have received
``scrape``                                      checks all that the exporter answers
``restart``                                     goes on with what the state file keeps
==============================================  ================================================
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from random import Random
from typing import Any

from pombo_exporter.hosts.host import Address, Host
from pombo_exporter.hosts.limits import AdmissionError
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.sealed import SealedIntake
from pombo_exporter.metrics.capture import Capture
from pombo_exporter.metrics.exposition import render
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import Keys
from pombo_exporter.seal.opening import Opener
from pombo_exporter.state.lines import encoded, read_records
from pombo_wire.forms import deflated
from pombo_wire.sealing import CHALLENGE_BYTES, SALT_BYTES
from support.books import LOW, State, check_books, check_limits, check_refused, check_series
from support.builders import SESSION, TABLE, Exporter, text_samples

from fuzz.answers import check_answers
from fuzz.fuzzer import Fuzzer, MutateBytes
from fuzz.json_mutations import TEXTS
from fuzz.lines import mutate_json, mutate_lines
from fuzz.logs import checked_log
from fuzz.one_datagram import check_detail
from fuzz.pages import Pages
from fuzz.seals import FLEET, Parts

_MOST_STEPS = 48
_MOST_SCRAPES = 2
_MOST_WAIT = 600.0  # seconds
_SWEEPS = 12  # of one wait

_ADDRESSES: Sequence[Address] = (("192.0.2.1", 40_000), ("192.0.2.2", 1), ("2001:db8::1", 2, 0, 0))

_COUNTERS = ("received", "lost", "skipped", "duplicate", "reordered")

Samples = dict[Any, float]


class _Run:
    """An exporter with everything between its socket and its web server, and what is checked."""

    def __init__(self) -> None:
        self._draws = 0  # of random bytes: the same input makes the same run
        self.exporter = Exporter(LOW, random=self._random)
        self.keys = Keys({FLEET.kid: FLEET}, set(), {})
        self.challenges: dict[str, bytes] = {}  # of the last answer to each name
        self.scrapes = 0
        self.held: list[tuple[Snapshot, Samples]] = []
        self._begin()

    def _begin(self) -> None:
        self.opener = Opener(CRYPTO, self.keys)
        exporter, crypto = self.exporter, CRYPTO._replace(random=self._random)
        sealed = SealedIntake(exporter.roster, self.opener, crypto, lambda *_: None)
        self.intake = Intake(exporter.roster, lambda: exporter.now, sealed)
        self.hosts: dict[str, tuple[Host, dict[str, int]]] = {}
        self.totals: dict[str, int] = {}
        self.pages = Pages(exporter, self.intake)

    def _random(self, count: int) -> bytes:
        self._draws += 1
        return self._draws.to_bytes(count, "big")

    def step(self, line: bytes) -> None:
        verb, *fields = line.split(b"\t")
        step = _STEPS.get(verb)
        if step is not None:
            step(self, fields)
            self.check()

    # What the steps do.

    def packed(self, fields: list[bytes]) -> None:
        self.send(fields[:1], deflated(b"\n".join(fields[1:])))

    def plain(self, fields: list[bytes]) -> None:
        self.send(fields[:1], b"\t".join(fields[1:]))

    def sealed(self, fields: list[bytes]) -> None:
        if len(fields) < 3:
            return
        try:
            said = json.loads(fields[1])
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        name = str(said.get("name", "pi")).encode(errors="surrogatepass")[:255]
        inside = fields[2] if len(fields) == 3 else deflated(b"\n".join(fields[2:]))
        shown = said.get("challenge")
        known = self.exporter.roster.challenge_of(name.decode(errors="replace"))
        parts = Parts(
            FLEET.kid,
            _small(said.get("generation"), 255),
            bytes((_small(said.get("salt"), 255),)) * SALT_BYTES,
            bytes((_small(said.get("rnd"), 255),)) * 6,
            _small(said.get("seq"), 2**48 - 1),
            name,
            _small(said.get("flags"), 255),
            (known if shown == "known" else b"") or bytes(CHALLENGE_BYTES),
            inside,
        )
        self.send(fields[:1], parts.sealed())

    def raw(self, fields: list[bytes]) -> None:
        self.send(fields[:1], b"\t".join(fields[1:]))

    def send(self, address: list[bytes], datagram: bytes) -> None:
        exporter, intake = self.exporter, self.intake
        where = _ADDRESSES[_number(address) % len(_ADDRESSES)]
        refused, before = sum(intake.refused.values()), State(exporter.roster)
        intake.take(datagram, where, exporter.now, exporter.wall)
        if sum(intake.refused.values()) == refused:
            return
        assert sum(intake.refused.values()) == refused + 1
        check_detail(intake.recent.newest_first()[0].detail)
        check_refused(before, State(exporter.roster))

    def wait(self, fields: list[bytes]) -> None:
        exporter, left = self.exporter, min(_seconds(fields), _MOST_WAIT)
        step = max(1.0, left / _SWEEPS)
        while left > 0:
            exporter.now += min(step, left)
            exporter.wall += min(step, left)
            deque(exporter.roster.sweep(exporter.now, StepClock()), maxlen=0)
            left -= step

    def clock(self, fields: list[bytes]) -> None:
        seconds = min(_seconds(fields), 1e9) * (-1 if fields[1:] else 1)
        self.exporter.wall = max(0.0, self.exporter.wall + seconds)

    def forget(self, fields: list[bytes]) -> None:
        self.exporter.roster.forget(_text(fields), self.exporter.now)

    def revoke(self, fields: list[bytes]) -> None:
        name = _text(fields).encode()
        if fields[1:]:
            self.keys.generations[name] = _number(fields[1:]) % 256
        else:
            self.keys.denied.add(name)
        self.opener.use(self.keys)
        self.exporter.roster.revoke(self.opener.is_revoked, self.exporter.now)
        left = self.exporter.roster.hosts
        assert not [name for name in left if name.encode() in self.keys.denied]

    def snapshot(self, _: list[bytes]) -> None:
        if len(self.held) >= _MOST_SCRAPES:
            return
        exporter = self.exporter
        one, other = (exporter.roster.snapshot(exporter.now, exporter.wall) for _ in range(2))
        self.held.append((one, self._samples(other)))

    def _samples(self, snapshot: Snapshot) -> Samples:
        capture, steps = Capture(TABLE, self.exporter.roster.layouts.types), StepClock()
        deque(capture.read(snapshot, steps), maxlen=0)
        pieces = render(TABLE, capture, steps, openmetrics=False)
        return text_samples(b"".join(filter(None, pieces)).decode())

    def publish(self, _: list[bytes]) -> None:
        self.pages.check()

    def scrape(self, _: list[bytes]) -> None:
        self.scrapes += 1
        if self.scrapes <= _MOST_SCRAPES:
            check_answers(self.exporter)

    def restart(self, _: list[bytes]) -> None:
        self.close()
        before = self.exporter
        self.exporter = Exporter(LOW, before.now, before.wall, random=self._random)
        self._begin()
        for record in before.roster.remembered():
            assert [*read_records(BytesIO(encoded(record)), 2)] == [record]
            try:
                assert self.exporter.roster.restore(record, before.now)
            except AdmissionError as error:
                assert error.reason == "bytes_limit"  # noqa: PT017 - which one matters
        again = {each.name: each for each in self.exporter.roster.remembered()}
        kept = {each.name: each for each in before.roster.remembered()}
        assert again.items() <= kept.items()

    # What is true after each step.

    def check(self) -> None:
        roster = self.exporter.roster
        check_books(roster)
        check_series(roster)
        check_limits(roster)
        for host in roster.hosts.values():
            assert host.state_at(self.exporter.now) in {"live", "late", "down"}
        self._check_counters()

    def _check_counters(self) -> None:
        roster, intake = self.exporter.roster, self.intake
        totals = {
            "received": intake.received,
            "answers": intake.acknowledgements,
            "holders": roster.holder_changes,
            "addresses": roster.address_changes,
            "evictions": roster.evictions,
            **intake.refused,
        }
        assert all(totals[name] >= count for name, count in self.totals.items())
        self.totals = totals
        for name, host in roster.hosts.items():
            counts = {each: getattr(host.sequence, each) for each in _COUNTERS}
            counts["conflicts"] = host.conflicts
            known, before = self.hosts.get(name, (None, {}))
            if known is host:
                fallen = [each for each, count in before.items() if counts[each] < count]
                assert not fallen, f"{fallen} of {name!r} decreased"
            self.hosts[name] = host, counts

    def close(self) -> None:
        """Read the snapshots that are held: they have not changed."""
        for snapshot, expected in self.held:
            found = self._samples(snapshot)
            assert found == expected
            assert not snapshot.is_open
        self.held.clear()

    def end(self) -> None:
        """Check the answers at the end, and that nothing is left of hosts that are forgotten."""
        self.close()
        self.pages.check()
        check_answers(self.exporter)
        roster = self.exporter.roster
        for name in [*roster.hosts]:
            roster.forget(name, self.exporter.now)
            self.check()
        assert roster.booked_bytes == roster.layouts.count == len(roster.layouts.types) == 0


_STEPS: dict[bytes, Callable[[_Run, list[bytes]], None]] = {
    name.encode(): getattr(_Run, name)
    for name in (
        *("packed", "plain", "sealed", "raw", "wait", "clock", "forget", "revoke", "snapshot"),
        *("publish", "scrape", "restart"),
    )
}


def _number(fields: list[bytes]) -> int:
    text = fields[0] if fields else b""
    return int(text) if text.isdigit() and len(text) < 9 else 0


def _small(value: Any, most: int) -> int:
    return value if type(value) is int and 0 <= value <= most else 0


def _seconds(fields: list[bytes]) -> float:
    """Return the seconds of a step, from 0."""
    try:
        found = float(fields[0])
    except (ValueError, IndexError):
        return 0.0
    return found if 0 <= found < 1e12 else 0.0


def _text(fields: list[bytes]) -> str:
    return fields[0].decode(errors="replace") if fields else ""


def _run(data: bytes) -> None:
    with checked_log():
        run = _Run()
        for line in data.split(b"\n")[:_MOST_STEPS]:
            run.step(line)
        run.end()


_SECONDS = (b"0.1", b"0.5", b"1", b"5", b"8", b"16", b"95", b"181", b"600")
_NAMES = tuple(text.encode(errors="replace") for text in TEXTS[:6])
_SIMPLE = (b"publish", b"publish", b"scrape", b"snapshot", b"restart")


def _mutate(data: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a history that resembles another one: with other steps, or one that is different."""
    steps = data.split(b"\n")[:_MOST_STEPS]
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(steps))
        kind = random.random()
        if kind < 0.1 and len(steps) > 1:
            del steps[at]
        elif kind < 0.2:
            steps.insert(random.randint(0, len(steps)), steps[at])
        elif kind < 0.25:
            other = random.randrange(len(steps))
            steps[at], steps[other] = steps[other], steps[at]
        elif kind < 0.45:
            steps.insert(at, _simple_step(random))
        else:
            steps[at] = _mutate_step(steps[at], random, mutate)
    return b"\n".join(steps)


def _cross(one: bytes, other: bytes, random: Random) -> bytes:
    """Return the first steps of a history and the last ones of another one."""
    first, last = one.split(b"\n"), other.split(b"\n")
    return b"\n".join(
        (*first[: random.randint(0, len(first))], *last[random.randint(0, len(last)) :])
    )


def _simple_step(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.5:
        return b"wait\t" + random.choice(_SECONDS)
    if kind < 0.6:
        back = random.choice((b"", b"\tback"))
        return b"clock\t" + random.choice(_SECONDS) + back
    if kind < 0.7:
        return b"forget\t" + random.choice(_NAMES)
    if kind < 0.75:
        below = random.choice((b"", b"\t0", b"\t1", b"\t2"))
        return b"revoke\t" + random.choice(_NAMES) + below
    return random.choice(_SIMPLE)


def _mutate_step(step: bytes, random: Random, mutate: MutateBytes) -> bytes:
    verb, *fields = step.split(b"\t")
    if len(fields) < 2 or random.random() < 0.03:
        return mutate(step) if random.random() < 0.2 else _simple_step(random)
    if random.random() < 0.1:
        fields[0] = random.choice((b"0", b"1", b"2"))
    elif verb == b"packed":
        fields[1:] = mutate_lines(fields[1:], random, mutate)
    elif verb == b"plain":
        fields[1] = mutate_json(fields[1], random, mutate)
    elif verb == b"sealed" and (len(fields) < 4 or random.random() < 0.5):
        at = random.randrange(1, min(3, len(fields)))
        fields[at] = mutate_json(fields[at], random, mutate)
    elif verb == b"sealed":
        fields[2:] = mutate_lines(fields[2:], random, mutate)
    else:
        fields[1] = mutate(fields[1])
    # A changed line has neither tabs nor line feeds, which divide fields and steps.
    return b"\t".join((verb, *(b" ".join(field.split(b"\n")) for field in fields)))


def _step(verb: str, address: int, *fields: Any) -> str:
    texts = (json.dumps(field, separators=(",", ":")) for field in fields)
    return "\t".join((verb, str(address), *texts))


_CPU = {"cpu": {"labels": {"cpu": ["0", "1"]}, "values": ["user", "idle"]}}
_DISKS = {"disks": {"labels": {"device": ["sda", "sdb"]}, "values": ["read_bytes", "reads"]}}
_OPEN = {
    "f_a": {"type": "gauge", "labels": {"x": ["1", "2"]}},
    "f_*": {"type": "counter", "values": ["b_total", "c_total"]},
}
_INFO = {
    "info": {"labels": {"agent": ["a"], "system": ["Linux"], "release": [""], "machine": [""]}},
    "labels": {"room": "attic"},
}
_HISTOGRAM = {
    "h_bucket": {"type": "histogram", "labels": {"le": ["1", "+Inf"]}},
    "h_sum": {"type": "histogram"},
    "h_count": {"type": "histogram"},
}
_EXTRA = {"processes": {"pid": ["7"], "name": ["x"], "cpu": [0.5], "memory": [4096]}, "y": [1]}


def _header(seq: int, host: str = "pi", **fields: Any) -> dict[str, Any]:
    start = SESSION / 1e9
    return {
        "host": host,
        "session": SESSION,
        "seq": seq,
        "time": start + seq,
        "monotonic": 10.0 + seq,
        "interval": 5,
        "parts": 1,
        **fields,
    }


def _proofs() -> list[str]:
    """Return a history in which an agent shows the challenge, and another one does not at first."""

    def sealed(salt: int, seq: int, known: str, **inside: Any) -> str:
        outside = {"name": "pi", "salt": salt, "seq": seq, "rnd": seq, "flags": 1}
        report = {"session": salt, "interval": 5, **inside}
        return _step("sealed", salt, {**outside, "challenge": known}, report)

    return [
        sealed(1, 0, "none", gauges={"a": 1}),
        "wait\t5",
        sealed(1, 1, "known", parts=1, memory={"total": 4}),
        "wait\t16",
        sealed(2, 0, "none", gauges={"a": 2}),
        sealed(2, 1, "known", gauges={"a": 3}),
        sealed(2, 1, "known", gauges={"a": 3}),
        sealed(1, 2, "known", gauges={"a": 4}),
        sealed(2, 2, "known", host="nas"),
        "restart",
        sealed(2, 3, "none", parts=1, gauges={"a": 5}),
        sealed(2, 4, "known", bye=True),
        sealed(3, 0, "known", gauges={"a": 6}),
    ]


def _seeds() -> Iterator[bytes]:
    """Yield one history of each kind."""
    bye = _step("packed", 0, _header(9, bye=True), {}, [])
    histories: list[list[str]] = [
        [
            _step("packed", 0, _header(0), _CPU, [1, 2, 3, 4]),
            "publish",
            "wait\t5",
            _step("packed", 0, _header(1), _CPU, [2, 3, 4, 5]),
            "scrape",
            "publish",
            "wait\t5",
            _step("packed", 1, _header(3), _CPU | _DISKS, [3, 4, 5, 6, 1, 2, 3, 4]),
            "wait\t16",
            bye,
        ],
        [
            _step("packed", 0, _header(0, parts=2), _CPU, [1, 2, 3, 4]),
            _step("packed", 0, _header(1, parts=2, part=1), _DISKS | _INFO, [1, 2, 3, 4]),
            "snapshot",
            "publish",
            "wait\t5",
            _step("packed", 0, _header(2, parts=2, plan=1), _DISKS, [2, 3, 4, 5]),
            _step(
                "packed",
                0,
                _header(3, parts=2, part=1, plan=1),
                _CPU | _OPEN,
                [2, 3, 4, 5, 1, 2, 3, 4],
            ),
            _step("packed", 0, _header(1, parts=2, part=1), _DISKS, [1, 2, 3, 4]),
            "restart",
            "wait\t0.5",
            _step("packed", 0, _header(4, parts=2, plan=1), _DISKS, [2, 3, 4, 5]),
        ],
        [
            _step("plain", 0, {"host": "pi", "gauges": {"a": 1.5, "b": -1}, "interval": 1}),
            _step(
                "plain",
                1,
                {
                    "host": "nas",
                    "families": {
                        "f_a": {"type": "counter", "labels": {"x": ["1", "2"]}, "values": [1, None]}
                    },
                },
            ),
            "snapshot",
            "wait\t2",
            _step("plain", 0, {"host": "pi", "gauges": {"a": 2.5}, "interval": 60}),
            _step("packed", 0, _header(5), _OPEN | _HISTOGRAM, [1, 2, 3, 4, 5, 6, 7, 8], _EXTRA),
            _step("plain", 0, {"host": "pi", "f_a": 1, "memory": {"total": 4, "available": 1}}),
            "forget\tnas",
            "wait\t181",
        ],
        [
            _step(
                "sealed",
                0,
                {"name": "pi", "salt": 1, "seq": 0, "flags": 1},
                {"session": 1, "interval": 5, "gauges": {"a": 1}},
            ),
            "publish",
            "wait\t5",
            _step(
                "sealed",
                0,
                {"name": "pi", "salt": 1, "seq": 1, "rnd": 1, "flags": 1, "challenge": "known"},
                {"session": 1, "parts": 1, "interval": 5},
                _CPU,
                [1, 2, 3, 4],
            ),
            _step(
                "sealed",
                1,
                {"name": "pi", "salt": 2, "seq": 0, "flags": 1},
                {"session": 2, "interval": 5, "gauges": {"a": 1}},
            ),
            _step("plain", 0, {"host": "pi", "gauges": {"a": 2}}),
            "restart",
            "wait\t16",
            _step(
                "sealed",
                1,
                {"name": "pi", "salt": 2, "seq": 1, "flags": 1, "challenge": "known"},
                {"session": 2, "interval": 5, "gauges": {"a": 3}},
            ),
            "revoke\tpi\t1",
            _step(
                "sealed",
                1,
                {"name": "pi", "salt": 3, "seq": 1, "flags": 3, "generation": 1},
                {"session": 2, "bye": True},
            ),
        ],
        [
            *(
                _step("packed", 0, _header(0, host=name), _CPU | _DISKS, [1] * 8)
                for name in ("pi", "nas", "vm", "new")
            ),
            "wait\t0.5",
            _step("packed", 0, _header(1, host="new"), _CPU | _DISKS, [1] * 8),
            _step("packed", 1, _header(0, session=SESSION + 10**9), _DISKS, [1, 2, 3, 4]),
            "wait\t8",
            _step("packed", 1, _header(1, session=SESSION + 10**9), _DISKS, [1, 2, 3, 4]),
            "clock\t95\tback",
            _step("packed", 0, _header(70, host="nas"), _CPU, [1, 2, 3, 4]),
            _step("packed", 0, _header(64, host="nas"), _CPU, [1, 2, 3, 4]),
            "wait\t600",
        ],
    ]
    histories.append(_proofs())
    for steps in histories:
        yield "\n".join(steps).encode()


FUZZER = Fuzzer(_run, _seeds, most_bytes=8192, mutate=_mutate, cross=_cross)
