"""Any datagram is a report that is accepted, or a refusal that is counted by its reason."""

import json
import logging
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.ingest.intake import REASONS, Intake
from pombo_exporter.ingest.sealed import SealedIntake
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import Keys
from pombo_exporter.seal.opening import Opener
from pombo_wire import Report, encode
from pombo_wire.keys import derived, new_fleet_key
from pombo_wire.packing import pack
from pombo_wire.reading import dictionary
from pombo_wire.sealing import Sealer
from support.builders import ADDRESS, SESSION, Exporter

PACKED = pack(Report("pi", gauges={"x": 1.0}))

# A host that seals, another agent of it, and an exporter's keys, in which a name is denied.
FLEET = new_fleet_key(CRYPTO)
KEYS = Keys({FLEET.kid: FLEET}, {b"denied"}, {})
KEY = derived(CRYPTO, FLEET, 0, "sealed")


def sealer() -> Sealer:
    return Sealer(CRYPTO, KEY.kid, KEY.generation, KEY.key, b"sealed")


SEALED = sealer().seal(b'{"session":7,"time":1.0,"gauges":{"x":5}}')


def gauges(count: int) -> bytes:
    """Return a packed datagram with so many gauges, each in a section of its own."""
    numbered = range(count)
    layout = ",".join(f'"g{number}":{{"type":"gauge"}}' for number in numbered)
    return deflated(f'{{"host":"pi"}}\n{{{layout}}}\n{[*numbered]}')


def deflated(lines: str) -> bytes:
    stream = zlib.compressobj(wbits=-15, zdict=dictionary(1) or b"")
    return b"\xb0\x01" + stream.compress(lines.encode()) + stream.flush()


REFUSED = {
    "too_large": b'{"host":"pi"}' + b" " * 1200,
    "unknown_form": b"PING",
    "unknown_dictionary": b"\xb0\xff" + PACKED[2:],
    "not_deflate": PACKED[:-1],
    "not_json": b"{",
    "invalid_field": b'{"host":"pi","time":-1}',
    "unequal_columns": b'{"host":"pi","disks":{"device":["a","b"],"reads":[1]}}',
    "unequal_numbers": deflated('{"host":"pi"}\n{"x":{"type":"gauge"}}\n[1,2]'),
    "repeated_row": b'{"host":"pi","disks":{"device":["a","a"],"reads":[1,2]}}',
    "reserved_name": b'{"host":"pi","gauges":{"up":1}}',
    "host_limit": b'{"host":"third"}',
    "series_limit": gauges(3),
    "section_limit": gauges(3),
    "bytes_limit": gauges(3),
    "family_limit": gauges(3),
    "layout_limit": gauges(3),
    "conflict": encode(Report("agent", session=SESSION - 10**9, seq=0, time=2e9)),
    "replayed": encode(Report("agent", session=SESSION - 10**9, seq=0, time=1.0)),
    "unknown_key": SEALED[:1] + b"none" + SEALED[5:],
    "bad_seal": SEALED[:-1] + bytes((SEALED[-1] ^ 1,)),
    "malformed": SEALED[:95],
    "wrong_name": sealer().seal(b'{"host":"other","gauges":{"x":1}}'),
    "revoked": b'{"host":"denied"}',
}


#: Reasons of which `test_sealed.py` and `test_places.py` have datagrams: they depend on what was
#: sent before.
ELSEWHERE = {"not_sealed", "plain_of_sealed", "unproven", "new_name_limit"}

#: The limits with which a datagram is refused.
LIMITS = {
    "series_limit": {"series_per_host": 2},
    "section_limit": {"items_per_host": 36},
    "bytes_limit": {"bytes": 11_500},
    "family_limit": {"families": 2},
    "layout_limit": {"layouts": 2},
}


class IntakeUnderTest:
    """An intake with a limit of two hosts, both of which have reported."""

    def __init__(self, **limits: int) -> None:
        self.exporter = Exporter(Limits(hosts=2, **limits))
        roster, opener = self.exporter.roster, Opener(CRYPTO, KEYS)
        sealed = SealedIntake(roster, opener, CRYPTO, lambda *_: None)
        self.intake = Intake(roster, lambda: self.exporter.now, sealed)
        self.take(b'{"host":"pi","gauges":{"x":1}}')
        for seq in range(2):
            self.take(encode(Report("agent", session=SESSION, seq=seq)))

    def take(self, datagram: bytes) -> None:
        self.intake.take(datagram, ADDRESS, self.exporter.now, self.exporter.wall)

    def refused(self) -> dict[str, int]:
        return {reason: count for reason, count in self.intake.refused.items() if count}


def test_every_reason_has_a_datagram_here() -> None:
    assert {*REFUSED} | ELSEWHERE == {str(reason) for reason in REASONS}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_datagram_is_counted_by_its_reason_and_changes_no_value(reason: str) -> None:
    under_test = IntakeUnderTest(**LIMITS.get(reason, {}))
    before = under_test.exporter.value("x")
    for _ in range(3):
        under_test.take(REFUSED[reason])
    assert under_test.refused() == {reason: 3}
    assert under_test.intake.received == 6
    assert under_test.exporter.value("x") == before == 1
    assert {*under_test.exporter.roster.hosts} == {"pi", "agent"}


def test_reason_without_refusals_is_counted_as_zero() -> None:
    intake = Intake(Exporter().roster, lambda: 0.0)
    assert intake.refused == {str(reason): 0 for reason in REASONS}


def test_log_has_a_line_a_minute_for_each_reason_and_names_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    under_test = IntakeUnderTest()
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            under_test.take(b"{\xff\n" * 100)
            under_test.take(REFUSED["reserved_name"])
        assert len(caplog.records) == 2
        under_test.exporter.now += 60
        under_test.take(b"{")
    first, second, third = (vars(record)["fields"] for record in caplog.records)
    assert first["reason"] == "not_json"
    assert "suppressed" not in first
    assert first["address"] == ADDRESS[0]
    assert len(first["datagram"]) < 700
    assert "choose another" in str(second["detail"])
    assert (third["reason"], third["suppressed"]) == ("not_json", 999)


def test_one_malformed_sender_does_not_disturb_the_others() -> None:
    under_test = IntakeUnderTest(series_per_host=2)
    for datagram in REFUSED.values():
        under_test.take(datagram)
        under_test.take(b'{"host":"pi","gauges":{"x":2}}')
    assert under_test.exporter.value("x") == 2


VALID: dict[str, Any] = {
    "host": "pi",
    "session": 1,
    "seq": 1,
    "time": 1.5,
    "monotonic": 2.5,
    "interval": 5.0,
    "bye": False,
    "labels": {"rack": "7"},
    "gauges": {"x": 1.0},
    "info": {"agent": "1"},
    "cpu": {"cpu": ["0", "1"], "user": [1.0, 2.0]},
    "filesystems": {"mountpoint": ["/"], "device": ["x"], "fstype": ["ext4"], "size": [1.0]},
    "memory": {"total": 8.0},
    "vmstat": {"pgfault": 1.0},
}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def almost_valid(draw: st.DrawFn) -> bytes:
    """Return the bytes of a report in which some fields are any JSON, and some bytes any byte."""
    changed = {name: draw(st.sampled_from([value, value]) | JSON) for name, value in VALID.items()}
    kept = draw(st.sets(st.sampled_from([*VALID])))
    text = json.dumps({name: changed[name] for name in VALID if name == "host" or name in kept})
    data = bytearray(text.encode())
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=2)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=1300) | almost_valid(), max_size=5))
def test_no_bytes_raise_and_the_exposition_stays_valid(datagrams: list[bytes]) -> None:
    exporter = Exporter()
    intake = Intake(exporter.roster, lambda: 0.0)
    for datagram in datagrams:
        exporter.now += 1
        intake.take(datagram, ADDRESS, exporter.now, exporter.wall)
    assert intake.received == len(datagrams)
    assert sum(intake.refused.values()) <= len(datagrams)
    exporter.samples_by_host()
