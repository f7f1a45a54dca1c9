"""The test vectors in docs/wire-vectors are up to date, and reader and writer agree with them."""

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pombo_exporter.decode.contents import contents
from pombo_wire import DecodeError, Reason
from pombo_wire.forms import PACKED, packed
from pombo_wire.reading import inflate
from pombo_wire.section import Section
from support.builders import TABLE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/wire-vectors"

#: Reasons that only sealed datagrams have; `test_sealing.py` and the exporter's tests have them.
OF_SEALED = {"malformed", "unknown_key", "bad_seal", "wrong_name", "revoked"}


def load(path: Path) -> list[dict[str, Any]]:
    vectors: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return vectors


ACCEPTED, REFUSED = load(FOLDER / "accepted.json"), load(FOLDER / "refused.json")


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def bytes_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["datagram"])


def without_compression(vectors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return vectors with what datagrams inflate to: each version of zlib may deflate otherwise."""
    return [vector | {"datagram": uncompressed(vector)} for vector in vectors]


def uncompressed(vector: dict[str, Any]) -> Any:
    datagram = bytes_of(vector)
    if datagram[:1] != bytes((PACKED,)):
        return vector["datagram"]
    return [datagram[1], inflate(datagram).decode()] if "lines" in vector else "packed"


@pytest.mark.parametrize("kind", ["accepted", "refused"])
def test_vectors_are_up_to_date(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "docs/generate/vectors.py"), str(tmp_path)]
    subprocess.run(command, check=True)
    stored, generated = load(FOLDER / f"{kind}.json"), load(tmp_path / f"{kind}.json")
    assert without_compression(stored) == without_compression(generated), "run `make docs`"


@pytest.mark.parametrize("vector", ACCEPTED, ids=name_of)
def test_accepted_vector_is_its_report(vector: dict[str, Any]) -> None:
    found = contents(bytes_of(vector), TABLE.catalog())
    assert json.loads(msgspec.json.encode(found)) == vector["report"]


@pytest.mark.parametrize("vector", REFUSED, ids=name_of)
def test_refused_vector_has_its_reason(vector: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as caught:
        contents(bytes_of(vector), TABLE.catalog())
    assert caught.value.reason == vector["reason"]


WITH_LINES = [vector for vector in (*ACCEPTED, *REFUSED) if "lines" in vector]


@pytest.mark.parametrize("vector", WITH_LINES, ids=name_of)
def test_packed_vector_inflates_to_its_lines(vector: dict[str, Any]) -> None:
    datagram = bytes_of(vector)
    preset = (ROOT / "wire/pombo_wire/dictionaries/1.bin").read_bytes()
    inflated = zlib.decompressobj(-15, preset).decompress(datagram[2:])
    assert inflated.decode().split("\n") == vector["lines"]


#: Vectors that no agent of ours sends: what newer agents may add, and other ways to write JSON.
NOT_WRITTEN = {
    *("packed-newer-agent", "packed-white-space", "packed-texts", "packed-numbers"),
    *("packed-fourth-line", "packed-most-items"),
}


@pytest.mark.parametrize(
    "vector",
    [each for each in ACCEPTED if "lines" in each and each["name"] not in NOT_WRITTEN],
    ids=name_of,
)
def test_writer_makes_the_lines_of_a_vector_of_its_report(vector: dict[str, Any]) -> None:
    report = vector["report"]
    sections = [section_of(each) for each in report.get("sections", [])]
    if "labels" in report:
        texts = {label: (text,) for label, text in report["labels"].items()}
        place = 1 if sections and sections[0].name == "info" else 0
        sections.insert(place, Section("labels", texts, (), ()))
    datagram = packed(report["header"], sections)
    assert inflate(datagram).decode().split("\n") == vector["lines"]


def section_of(section: dict[str, Any]) -> Section:
    values = section.get("values", {})
    helps = section.get("help", ())
    before, star, after = section["name"].partition("*")
    names = tuple(name.removeprefix(before).removesuffix(after) for name in values) if star else ()
    single = "type" in section and not star
    return Section(
        section["name"],
        {label: tuple(texts) for label, texts in section.get("labels", {}).items()},
        names if star else () if single else tuple(values),
        [cell for column in values.values() for cell in column],
        absent=tuple(section.get("absent", ())),
        type=section.get("type", ""),
        help=(helps[0] if helps else "") if single else tuple(helps),
    )


def test_vectors_have_every_form_field_and_reason() -> None:
    assert {vector["reason"] for vector in REFUSED} == {*Reason} - OF_SEALED
    reports = [vector["report"] for vector in ACCEPTED]
    assert {report["form"] for report in reports} == {"plain", "packed"}
    assert {part for report in reports if (part := report["header"].get("parts"))} == {1, 2, 3}
    sections = [section for report in reports for section in report.get("sections", ())]
    fields = {field for section in sections for field in section}
    assert fields >= {"name", "type", "help", "labels", "values", "absent", "ignored"}
    assert any(report["header"].get("bye") for report in reports)
    assert any("extra" in report for report in reports)
    assert any("labels" in report for report in reports)
