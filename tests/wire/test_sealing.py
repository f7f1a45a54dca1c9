"""Sealed datagrams with both libraries: published vectors, and what must not open."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pombo_agent.transport import crypto as of_agent
from pombo_exporter.seal import crypto as of_exporter
from pombo_wire import DecodeError, Reason
from pombo_wire.forms import packed
from pombo_wire.keys import (
    FleetKey,
    HostKey,
    derived,
    fleet_key_text,
    host_key_text,
    new_fleet_key,
    read_fleet_key,
    read_host_key,
)
from pombo_wire.limits import MAX_DATAGRAM_BYTES
from pombo_wire.sealing import (
    ACCEPTED,
    ACKNOWLEDGEMENT_BYTES,
    MIN_SEALED_BYTES,
    PROBE,
    WANTS_ANSWER,
    Acknowledgement,
    Crypto,
    Sealer,
    acknowledgement,
    envelope,
    opened,
    overhead,
)

VECTORS = Path(__file__).parents[2] / "docs/wire-vectors/sealed.json"
BOTH = [of_agent.CRYPTO, of_exporter.CRYPTO]
IDS = ["agent", "exporter"]

FLEET = bytes(range(32))
HEADER = {"session": 1763953012345678901, "time": 1763953112.5, "monotonic": 100.25, "parts": 1}
INNER = packed(HEADER, [])
ANSWER = Acknowledgement(7, b"12345678", 1763953012345, bytes(10) + b"\xff\xff\xc0\0\2\1", 5005, 1)


@pytest.fixture(params=BOTH, ids=IDS)
def crypto(request: pytest.FixtureRequest) -> Crypto:
    found: Crypto = request.param
    return found


def counted(crypto: Crypto) -> Crypto:
    """Return the cryptography with random bytes that count up from 0, for a fixed result."""
    bytes_of: Iterator[int] = iter(range(2**20))
    return crypto._replace(random=lambda count: bytes(next(bytes_of) % 256 for _ in range(count)))


def key_of(crypto: Crypto, name: str = "pi", generation: int = 0) -> HostKey:
    fleet = read_fleet_key(crypto, fleet_key_text(crypto, FleetKey(b"", FLEET)))
    return derived(crypto, fleet, generation, name)


def sealer_of(crypto: Crypto, key: HostKey) -> Sealer:
    return Sealer(crypto, key.kid, key.generation, key.key, key.name.encode())


def test_cipher_is_that_of_rfc_8439(crypto: Crypto) -> None:
    """Section 2.8.2."""
    key = bytes(range(0x80, 0xA0))
    nonce = bytes.fromhex("070000004041424344454647")
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plaintext = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    ciphertext = bytes.fromhex(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691"
    )
    assert crypto.seal(key, nonce, plaintext, associated) == ciphertext
    assert crypto.open(key, nonce, ciphertext, associated) == plaintext


def test_hash_is_blake2b_with_a_key(crypto: Crypto) -> None:
    """The reference implementation's vectors have 64 bytes, so both libraries are compared."""
    for other in BOTH:
        for size in (0, 1, 127, 128, 129):
            data = bytes(range(size))
            assert crypto.blake2b(data, FLEET) == other.blake2b(data, FLEET)
            assert crypto.blake2b(data, b"") == other.blake2b(data, b"")
    # BLAKE2b-256 of "abc", as coreutils' `b2sum -l 256` prints it.
    assert crypto.blake2b(b"abc", b"").hex() == (
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"
    )


@pytest.mark.parametrize("opening", BOTH, ids=IDS)
def test_what_one_library_seals_the_other_opens(crypto: Crypto, opening: Crypto) -> None:
    key = key_of(crypto)
    sealer = sealer_of(crypto, key)
    for number in range(3):
        datagram = sealer.seal(INNER, b"abcdefgh", WANTS_ANSWER)
        found = envelope(datagram)
        assert (found.kid, found.generation, found.name) == (key.kid, 0, b"pi")
        assert (found.salt, found.seq) == (sealer.salt, number)
        assert len(datagram) == len(INNER) + overhead(b"pi")
        assert opened(opening, key.key, found) == (WANTS_ANSWER, b"abcdefgh", INNER)


@pytest.mark.parametrize("opening", BOTH, ids=IDS)
def test_what_one_library_acknowledges_the_other_reads(crypto: Crypto, opening: Crypto) -> None:
    key = key_of(opening)
    sealer = sealer_of(opening, key)
    answer = acknowledgement(crypto, key.key, sealer.salt, ANSWER)
    assert len(answer) == ACKNOWLEDGEMENT_BYTES < len(sealer.seal(INNER))
    assert sealer.acknowledgement(answer) == ANSWER
    assert sealer.acknowledgement(answer[:-1]) is None
    assert sealer.acknowledgement(answer[:-1] + bytes((answer[-1] ^ 1,))) is None
    assert sealer_of(opening, key).acknowledgement(answer) is None, "another salt"


def test_vectors_are_the_same_with_both_libraries(crypto: Crypto) -> None:
    expected = json.loads(VECTORS.read_text(encoding="utf-8"))
    fixed = counted(crypto)
    key = key_of(fixed, "pi", 3)
    sealer = sealer_of(fixed, key)
    first = sealer.seal(INNER)
    second = sealer.seal(b'{"bye":true}', b"abcdefgh", WANTS_ANSWER | PROBE)
    assert {
        "fleet_key": fleet_key_text(fixed, FleetKey(key.kid, FLEET)),
        "host_key": host_key_text(fixed, key),
        "kid": key.kid.hex(),
        "datagrams": [first.hex(), second.hex()],
        "inner": [INNER.hex(), b'{"bye":true}'.hex()],
        "acknowledgement": acknowledgement(fixed, key.key, sealer.salt, ANSWER).hex(),
    } == {name: expected[name] for name in expected if name != "description"}
    assert len(second) == MIN_SEALED_BYTES


def test_packed_datagram_that_is_too_short_is_not_padded(crypto: Crypto) -> None:
    sealer = sealer_of(crypto, key_of(crypto))
    with pytest.raises(ValueError, match="too few"):
        sealer.seal(INNER[:20])
    with pytest.raises(ValueError, match="too many"):
        sealer.seal(bytes(MAX_DATAGRAM_BYTES))


def test_any_changed_byte_is_refused(crypto: Crypto) -> None:
    key = key_of(crypto)
    datagram = sealer_of(crypto, key).seal(INNER)
    for at in range(1, len(datagram)):
        changed = datagram[:at] + bytes((datagram[at] ^ 1,)) + datagram[at + 1 :]
        with pytest.raises(DecodeError) as refusal:
            opened(crypto, key.key, envelope(changed))
        assert refusal.value.reason in {Reason.BAD_SEAL, Reason.MALFORMED}


@pytest.mark.parametrize(
    "change",
    [
        lambda datagram: datagram[: MIN_SEALED_BYTES - 1],
        lambda datagram: datagram + bytes(MAX_DATAGRAM_BYTES),
        lambda datagram: datagram[:34] + b"\0" + datagram[35:],
        lambda datagram: datagram[:34] + b"\xff" + datagram[35:],
        lambda datagram: b"\xb2" + datagram[1:],
    ],
    ids=["short", "long", "no name", "long name", "other form"],
)
def test_malformed_datagrams_are_refused(change: Callable[[bytes], bytes]) -> None:
    crypto = of_exporter.CRYPTO
    datagram = sealer_of(crypto, key_of(crypto)).seal(INNER)
    with pytest.raises(DecodeError) as refusal:
        envelope(change(datagram))
    assert refusal.value.reason is Reason.MALFORMED


def test_flag_without_a_meaning_is_refused(crypto: Crypto) -> None:
    key = key_of(crypto)
    with pytest.raises(DecodeError, match="a bit is set") as refusal:
        opened(crypto, key.key, envelope(sealer_of(crypto, key).seal(INNER, flags=4)))
    assert refusal.value.reason is Reason.MALFORMED


def test_key_of_another_host_or_generation_does_not_open(crypto: Crypto) -> None:
    datagram = sealer_of(crypto, key_of(crypto)).seal(INNER)
    for other in (key_of(crypto, "po"), key_of(crypto, "pi", 1)):
        with pytest.raises(DecodeError) as refusal:
            opened(crypto, other.key, envelope(datagram))
        assert refusal.value.reason is Reason.BAD_SEAL


def test_keys_are_the_same_after_they_were_text(crypto: Crypto) -> None:
    fleet = new_fleet_key(crypto)
    assert read_fleet_key(crypto, fleet_key_text(crypto, fleet)) == fleet
    host = derived(crypto, fleet, 255, "caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    assert read_host_key(crypto, f" {host_key_text(crypto, host)}\n") == host
    assert new_fleet_key(crypto) != fleet


def test_mistyped_keys_are_refused_without_being_shown(crypto: Crypto) -> None:
    text = host_key_text(crypto, key_of(crypto))
    fleet = fleet_key_text(crypto, new_fleet_key(crypto))
    other = "A" if text[20] != "A" else "B"
    for wrong in (text[:-1], text[:-4], text[:20] + other + text[21:], text[:5], "", fleet, "é"):
        with pytest.raises(ValueError, match="not a host key") as error:
            read_host_key(crypto, wrong)
        assert wrong[8:] not in str(error.value) or len(wrong) <= 8
    with pytest.raises(ValueError, match="not a fleet key"):
        read_fleet_key(crypto, text)


@pytest.mark.parametrize("name", ["", "x" * 256, "\udcff"])
def test_names_that_cannot_be_sealed_have_no_key(name: str, crypto: Crypto) -> None:
    with pytest.raises(ValueError, match=r"1 to 255 bytes|surrogates"):
        derived(crypto, new_fleet_key(crypto), 0, name)


def test_acknowledgement_says_whether_the_report_was_accepted() -> None:
    assert ANSWER.flags == ACCEPTED
