"""``pombo-exporter decode`` as a command: captures in, tables or JSON out, an exit code."""

import json
import subprocess
from pathlib import Path

from pombo_wire import Cpu, Report, encode
from pombo_wire.packing import pack
from support.processes import BIN

REPORT = Report("pi", session=1, seq=2, parts=1, cpu=Cpu(("0", "1"), user=(1.5, None)))


def decode(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [BIN / "pombo-exporter", "decode", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def test_raw_datagrams_in_files_are_printed_with_their_names(tmp_path: Path) -> None:
    files = tmp_path / "packed", tmp_path / "plain"
    for file, datagram in zip(files, (pack(REPORT), encode(REPORT)), strict=True):
        file.write_bytes(datagram)
    done = decode(*files)
    assert (done.returncode, done.stderr) == (0, b"")
    one, other = done.stdout.decode().split("\n\n\n")[0], done.stdout.decode()
    assert one.startswith(f"{files[0]}: datagram 1\n  form     packed, {len(pack(REPORT))} bytes\n")
    assert f"{files[1]}: datagram 1\n  form     plain, {len(encode(REPORT))} bytes\n" in other
    assert "cpu\n  cpu  user\n  0    1.5\n  1    -\n" in one


def test_lines_of_digits_are_printed_as_lines_of_json() -> None:
    lines = f"{pack(REPORT).hex()}\n{encode(REPORT).hex()}\n"
    done = decode("--format=json", stdin=lines.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    packed, plain = map(json.loads, done.stdout.splitlines())
    assert (packed["form"], plain["form"]) == ("packed", "plain")
    assert packed["header"] == plain["header"] == {"host": "pi", "session": 1, "seq": 2, "parts": 1}
    [section] = packed["sections"]
    assert section == {
        "name": "cpu",
        "labels": {"cpu": ["0", "1"]},
        "values": {"user": [1.5, None]},
        "absent": [1],
    }


def test_refused_datagram_is_named_with_its_reason_and_the_others_are_printed() -> None:
    lines = [encode(REPORT), b'{"host":"pi","memory":{"total":-1}}', b"\xb0\x07", pack(REPORT)]
    done = decode("-", stdin="\n".join(line.hex() for line in lines).encode())
    assert done.returncode == 1
    negative, unknown = done.stderr.decode().splitlines()
    assert negative.startswith("standard input: datagram 2: invalid_field: `memory.total`")
    assert unknown.startswith("standard input: datagram 3: unknown_dictionary: dictionary 7")
    assert done.stdout.count(b"datagram 1\n") == done.stdout.count(b"datagram 4\n") == 1


def test_what_is_no_capture_is_an_error(tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.touch()
    done = decode(missing, empty, tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        f"{missing}: No such file or directory",
        f"{empty}: no datagram",
        f"{tmp_path}: Is a directory",
    ]
    done = decode(stdin=b"7b7d\nxyz\n")
    assert done.returncode == 1
    assert b"line 2: write each datagram as hexadecimal digits on one line" in done.stderr


def test_reader_that_leaves_early_ends_the_command() -> None:
    lines = f"{pack(REPORT).hex()}\n" * 2000
    command = f"{BIN / 'pombo-exporter'} decode | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        input=lines.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == b"standard input: datagram 1\n"
    assert b"Traceback" not in done.stderr


def test_help_says_how_to_capture() -> None:
    done = decode("--help")
    assert done.returncode == 0
    assert b"\n    tcpdump -x -l udp port 5005 | pombo-exporter decode\n" in done.stdout
