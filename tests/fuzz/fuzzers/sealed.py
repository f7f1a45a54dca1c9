"""Sealed datagrams: opened with a known key, admitted, answered.

A changed byte breaks the seal. So mutations open a datagram, change what is inside or around, and
seal it again; some change bytes of the sealed one.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pombo_exporter.hosts.host import Address
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.sealed import SealedIntake
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import Keys
from pombo_exporter.seal.opening import Opener
from pombo_wire.sealing import ACKNOWLEDGEMENT, ACKNOWLEDGEMENT_BYTES
from support.books import State, check_books, check_refused, check_series
from support.builders import ADDRESS, Exporter

from fuzz.answers import check_answers
from fuzz.fuzzer import Fuzzer
from fuzz.logs import checked_log
from fuzz.one_datagram import check_detail
from fuzz.seals import FLEET, Parts, mutate_sealed, opened
from fuzz.seeds import captured, vectors

_VECTORS = Path(__file__).parents[3] / "docs/wire-vectors/sealed.json"
_KEYS = Keys({FLEET.kid: FLEET}, {b"denied"}, {b"old": 2, b"pi": 3})


def _run(datagram: bytes) -> None:
    exporter = Exporter()
    answers: list[tuple[bytes, Address]] = []
    opener = Opener(CRYPTO, _KEYS)
    taking = SealedIntake(exporter.roster, opener, CRYPTO, lambda *answer: answers.append(answer))
    intake = Intake(exporter.roster, lambda: exporter.now, taking, require_sealed=True)
    before = State(exporter.roster)
    with checked_log():
        intake.take(datagram, ADDRESS, exporter.now, exporter.wall)
    for answer, address in answers:
        assert (len(answer), answer[0], address) == (
            ACKNOWLEDGEMENT_BYTES,
            ACKNOWLEDGEMENT,
            ADDRESS,
        )
        assert len(answer) < len(datagram)  # nobody gains by a forged address
    parts = opened(datagram)
    if parts is None:
        assert not answers
        assert not exporter.roster.hosts
    if sum(intake.refused.values()):
        [refusal] = intake.recent.newest_first()
        check_detail(refusal.detail)
        assert not answers  # the name is free, so it is neither conflict nor unproven
        check_refused(before, State(exporter.roster))
        return
    assert parts is not None
    assert len(answers) == parts.flags % 2
    assert {*exporter.roster.hosts} <= {parts.name.decode()}
    check_books(exporter.roster)
    check_series(exporter.roster)
    check_answers(exporter)


def _seeds() -> Iterator[bytes]:
    for datagram in json.loads(_VECTORS.read_text("utf-8"))["datagrams"]:
        yield bytes.fromhex(datagram)
    for inside in (*vectors(b"\xb0"), *vectors(b"{"), *captured()):
        parts = Parts(FLEET.kid, 3, b"s" * 16, b"r" * 6, 7, b"pi", 1, bytes(8), inside)
        yield parts.sealed()


FUZZER = Fuzzer(_run, _seeds, most_bytes=1300, mutate=mutate_sealed)
