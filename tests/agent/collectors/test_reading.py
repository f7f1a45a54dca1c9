"""Files of the kernel, and what is wrong in them."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import (
    MAX_FILE_BYTES,
    File,
    Skips,
    decoded,
    in_order,
    parse_number,
    read_bytes,
)

SEPARATORS = "\N{LINE SEPARATOR}\x85\x1c\x0b".encode()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0),
        (b"-1", -1),
        (b" 12\n", 12),
        (b"007", 7),
        (b"0x1f", 31),
        (b"18446744073709551616", 2**64),
        (b"1.5", 1.5),
        (b"-0.25\n", -0.25),
        (b"1e3", 1000.0),
        (b"9" * 308, int(b"9" * 308)),
    ],
)
def test_number_is_read(text: bytes, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b" ", b"N/A", b"-", b"nan", b"inf", b"-Infinity", b"1_000", b"1 2", b"1,5", b"1kB"),
        *(b"1\0", b"\xd9\xa1", b"1e999", b"9" * 309, b"9" * 5000, b"0x", b"0x_1", b"\xff"),
        "\N{ARABIC-INDIC DIGIT ONE}".encode(),
    ],
)
def test_what_is_no_number_costs_itself_alone(text: bytes) -> None:
    skips = Skips()
    file = File(b"", "/proc/x", skips)
    assert file.numbers([b"1", text, b"3"]) == [1, None, 3]
    assert skips.count == 1
    assert skips.examples["value"][1] == "/proc/x"


def test_numbers_beyond_a_float64_are_unreadable_also_among_others() -> None:
    file = File(b"")
    assert file.numbers([b"1", b"9" * 400, b"2"]) == [1, None, 2]
    assert file.numbers([str(sys.maxsize).encode()] * 100) == [sys.maxsize] * 100
    assert file.hexadecimal(b"ff") == 255
    assert file.hexadecimal(b"f" * 300) is None
    assert file.hexadecimal(b"xyz") is None
    assert file.skips.count == 3


def test_lines_end_only_at_newlines_and_words_only_at_ascii_space() -> None:
    name = b"a" + "\N{LINE SEPARATOR}\x85\N{NO-BREAK SPACE}".encode() + b"b"
    file = File(name + b" 1\n\n \r\nc\xff 2\r\n")
    assert file.lines() == [name + b" 1", b"c\xff 2\r"]
    assert [*file.words()] == [[name, b"1"], [b"c\xff", b"2"]]


def test_short_line_is_skipped_and_an_empty_one_ignored() -> None:
    file = File(b"a 1\nb\n\nc 3\n", "/proc/x")
    assert [*file.words(2)] == [[b"a", b"1"], [b"c", b"3"]]
    assert file.skips.examples == {"line": ("b", "/proc/x")}


def test_line_that_cannot_be_parsed_costs_itself_alone() -> None:
    file = File(b"head\na 1\nb\nc x\nd 4\n")
    assert file.rows(lambda line: int(line.split()[1]), first=1) == [1, 4]
    assert file.skips.count == 2


def test_text_has_no_invalid_utf8() -> None:
    assert File(b"  a\xffb\r\n").text == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"caf\xc3\xa9", "caf\u00e9"),
        (b"\xff[\xfe\xfd]", "\ufffd[\ufffd]"),
        (b"\xef\xbf\xbd\xef\xbf\xbd\xff\xfe\xe2\x82", "\ufffd\ufffd\ufffd"),
        (b"\xed\xb2\x80x", "\ufffdx"),
    ],
)
def test_run_of_invalid_bytes_is_one_replacement_character(text: bytes, shown: str) -> None:
    assert decoded(text) == shown


def test_one_example_of_each_kind_is_kept_and_cut() -> None:
    skips = Skips()
    skips.add("value", b"x" * 500, "/a")
    skips.add("value", b"y", "/b")
    skips.add("line", b"\xff\0", "/c")
    assert skips.count == 3
    assert skips.examples == {"value": ("x" * 40, "/a"), "line": ("\\xff\0", "/c")}


def test_numbers_in_names_are_in_their_order() -> None:
    assert in_order(["cpu10", "cpu9", "cpu", "a2b10", "a2b9", "cpu01"]) == [
        *("a2b9", "a2b10", "cpu", "cpu01", "cpu9", "cpu10")
    ]


def failing_after(*chunks: bytes) -> "Read":
    return Read(iter(chunks))


class Read:
    """Returns some chunks, and then fails as a device does."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __call__(self, _file: int, _size: int) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_lines_before_a_failure_are_read(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert read_bytes(tmp_path / "x", failing_after(b"a 1\nb", b" 2\nc 3")) == (
        b"a 1\nb 2\n",
        False,
    )
    assert read_bytes(tmp_path / "x", failing_after(b"cut")) == (b"", False)
    with pytest.raises(OSError, match="Input/output"):
        read_bytes(tmp_path / "x", failing_after())


def test_whole_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a" * 200_000 + b"\n")
    assert read_bytes(tmp_path / "x") == (b"a" * 200_000 + b"\n", True)


def test_endless_file_is_an_error() -> None:
    with pytest.raises(OSError, match="too large"):
        read_bytes("/dev/zero")
    assert MAX_FILE_BYTES < 2**25


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    for read in (os.read, failing_after(b"a\n"), failing_after()):
        (tmp_path / "x").write_bytes(b"a")
        try:
            read_bytes(tmp_path / "x", read)
        except OSError:
            continue
    assert len([*Path("/proc/self/fd").iterdir()]) == before
