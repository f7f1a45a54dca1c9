"""Write the test vectors of the wire: datagrams, and what they say or why they are refused.

Usage: ``python docs/generate/vectors.py docs/wire-vectors``

Packed datagrams are written here as lines, not made of reports, so that they also check what makes
datagrams of reports.
"""

import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from pombo_exporter.decode.contents import contents
from pombo_exporter.hosts.limits import AdmissionError
from pombo_exporter.metrics.host_families import family_table
from pombo_wire import MAX_DATAGRAM_BYTES, DecodeError
from pombo_wire.forms import read_dictionary

CATALOG = family_table().catalog()

HEADER = (
    '{"host":"pi","session":1763953012345678901,"seq":7,"time":1763953112.5,"monotonic":100.25,'
    '"interval":5,"parts":1}'
)

#: A datagram as text, and then as lines if it is packed.
Vector = tuple[str, str, bytes, list[str] | None]


def deflated(lines: str, level: int = 6) -> bytes:
    """Return a packed datagram of lines, made as docs/wire.md recommends."""
    arguments = (level, zlib.DEFLATED, -14, 8, zlib.Z_FILTERED, read_dictionary(1))
    compressor = zlib.compressobj(*arguments)
    return b"\xb0\x01" + compressor.compress(lines.encode()) + compressor.flush()


def plain(name: str, description: str, text: str) -> Vector:
    """Return a vector of a plain datagram."""
    return name, description, text.encode(), None


def packed(name: str, description: str, *lines: str, header: str = HEADER) -> Vector:
    """Return a vector of a packed datagram."""
    whole = [header, *lines]
    return name, description, deflated("\n".join(whole)), whole


def layout(name: str, description: str, line: str, numbers: str = "[]") -> Vector:
    """Return a vector of a packed datagram with a short header."""
    return packed(name, description, line, numbers, header='{"host":"pi"}')


def part(number: int, description: str, line: str, numbers: str) -> Vector:
    """Return a vector of one of the three datagrams of a report."""
    place = f'"part":{number},' if number else ""
    header = HEADER.replace('"seq":7', f'"seq":{8 + number}')
    header = header.replace('"parts":1', f'{place}"parts":3,"plan":4')
    return packed(f"part-{number}-of-3", description, line, numbers, header=header)


def accepted() -> Iterator[Vector]:
    """Yield datagrams that an exporter accepts."""
    yield plain(
        "plain-gauge",
        "The smallest agent: a line of shell. Each gauge is an open family of its own.",
        '{"host":"pi","gauges":{"room_temperature_celsius":21.5}}\n',
    )
    yield plain(
        "plain-sections",
        "Records, tables, a map and the owner's labels; white space is allowed anywhere.",
        ' {"host": "pi", "session": 1763953012345678901, "seq": 0, "time": 1763953012.5,\n'
        '  "monotonic": 83.25, "interval": 5,\n'
        '  "info": {"agent": "shell", "system": "Linux"}, "labels": {"room": "attic"},\n'
        '  "system": {"uptime": 83.25, "load1": 0.5},\n'
        '  "cpu": {"cpu": ["0", "1"], "user": [12.5, 11.75], "idle": [67.5, 68]},\n'
        '  "vmstat": {"pgfault": 12345, "oom_kill": 0}}\n',
    )
    yield plain(
        "plain-null",
        "null is a number that is unknown just now: in a table, a record, a map and a gauge. "
        "A column that is null is left out.",
        '{"host":"pi","cpu":{"cpu":["0","1"],"user":[null,2],"idle":null},'
        '"system":{"load1":null,"load5":1},"vmstat":{"pgfault":null},"gauges":{"a":null}}',
    )
    yield plain(
        "plain-open-families",
        "Open families: one without labels, one with labels and HELP, and two with the same rows, "
        "whose names have a text in place of the *.",
        '{"host":"pi","families":{"restarts_total":{"type":"counter","values":[3]},'
        '"jobs_waiting":{"type":"gauge","help":"Jobs that wait.","labels":{"queue":["in","out"]},'
        '"values":[4,5]},'
        '"jobs_*_total":{"type":"counter","help":["Jobs done.","Jobs lost."],'
        '"labels":{"queue":["in","out"]},"columns":{"done":[10,20],"lost":[0,null]}}}}',
    )
    yield plain(
        "plain-newer-agent",
        "Fields of the report and of a section that this version does not know are ignored.",
        '{"host":"pi","moon":{"phase":[1,2]},"memory":{"total":8,"colour":"red"}}',
    )
    yield plain(
        "plain-part",
        "A plain datagram can be a part of a report too.",
        '{"host":"pi","session":1763953012345678901,"seq":1,"parts":2,"part":1,"plan":9,'
        '"arp":{"device":["eth0"],"entries":[4]}}',
    )
    yield plain(
        "plain-processes",
        "The table of processes is a field of a plain datagram. Of its columns, pid and name are "
        "required.",
        '{"host":"pi","session":1763953012345678901,"seq":1,"parts":1,'
        '"processes":{"pid":["812"],"name":["postgres"],"command":["postgres -D data"],'
        '"memory":[71303168]}}',
    )
    yield plain(
        "plain-bye",
        "The agent stops.",
        '{"host":"pi","session":1763953012345678901,"seq":2,"bye":true}',
    )
    yield packed(
        "packed-report",
        "A report of one datagram, as an agent sends it. A section of texts alone has no numbers.",
        '{"info":{"labels":{"agent":["shell 1"],"system":["Linux"],"release":["6.1"],'
        '"machine":["x86_64"]}},"labels":{"room":"attic"},'
        '"cpu":{"labels":{"cpu":["0","1"]},"values":["user","idle"]},'
        '"disks":{"labels":{"device":["sda"]},"values":["read_bytes","written_bytes","reads"]},'
        '"system":{"values":["uptime","load1"]},'
        '"filesystems":{"labels":{"mountpoint":["/"],"device":["/dev/sda1"],"fstype":["ext4"]},'
        '"values":["size","free"]},'
        '"meminfo":{"values":["MemTotal_bytes","MemFree_bytes"]}}',
        "[12.5,11.75,67.5,68,8192000,409600,120,83.25,0.5,32000000000,16000000000,"
        "1024000000,640000000]",
    )
    yield part(
        0,
        "The first of three parts (0 may be left out), split by plan 4. A table is "
        "divided between its rows.",
        '{"networks":{"labels":{"device":["eth0","eth1"]},"values":["receive_bytes",'
        '"transmit_bytes"]}}',
        "[1000,2000,3000,4000]",
    )
    yield part(
        1,
        "The second part has the other rows, with the same columns.",
        '{"networks":{"labels":{"device":["lo"]},"values":["receive_bytes","transmit_bytes"]}}',
        "[5,5]",
    )
    yield part(
        2,
        "The third part has another section.",
        '{"system":{"values":["load1"]}}',
        "[0.25]",
    )
    yield layout(
        "packed-null",
        "The second number of `user` is unknown just now.",
        '{"cpu":{"labels":{"cpu":["0","1"]},"values":["user","idle"]}}',
        "[1.5,null,3,4]",
    )
    yield layout(
        "packed-absent",
        "Cells are numbered column after column: 2 rows, so cell 3 is row 1 of column 1. The cells "
        "1 and 4 have no number, so four numbers stand for the cells 0, 2, 3 and 5.",
        '{"disks":{"labels":{"device":["sda","sdb"]},"values":["read_bytes","written_bytes",'
        '"reads"],"absent":[1,4]}}',
        "[10,30,40,null]",
    )
    yield layout(
        "packed-all-absent",
        "A section may have no number at all.",
        '{"arp":{"labels":{"device":["eth0"]},"values":["entries"],"absent":[0]}}',
    )
    yield layout(
        "packed-open-family",
        "An open family without labels has one row. Its name is the name of its only column.",
        '{"restarts_total":{"type":"counter"}}',
        "[3]",
    )
    yield layout(
        "packed-open-family-with-labels",
        "An open family with a row for each text of its labels.",
        '{"jobs_waiting":{"type":"gauge","help":"Jobs that wait.","labels":{"queue":["in","out"],'
        '"tier":["a","a"]}}}',
        "[4,-5]",
    )
    yield layout(
        "packed-open-families",
        "Several families with the same rows: each of `values` stands for the *.",
        '{"jobs_*_total":{"type":"counter","help":["Jobs done.","Jobs lost."],'
        '"labels":{"queue":["in","out"]},"values":["done","lost"],"absent":[3]}}',
        "[10,20,0]",
    )
    yield layout(
        "packed-gauges",
        "Several families without labels. Their common name is the * alone.",
        '{"*":{"type":"gauge","values":["room_temperature_celsius","room_humidity_ratio"]}}',
        "[21.5,0.4]",
    )
    yield layout(
        "packed-maps",
        "Each name of a map makes a family, here node_memory_MemTotal_bytes and so on.",
        '{"meminfo":{"values":["MemTotal_bytes","HugePages_Total"]},'
        '"conntrack":{"values":["entries","entries_limit"]}}',
        "[1024000000,0,12,65536]",
    )
    yield layout(
        "packed-labels",
        "The owner's labels are an object of texts. They have no numbers.",
        '{"labels":{"room":"attic","rack":"7"}}',
    )
    yield layout(
        "packed-texts",
        "Records of texts: all label columns in the order of the schema, empty where unknown. "
        "Texts may have escapes, names may not.",
        '{"time_zone":{"labels":{"time_zone":["CET"]},"values":["offset"]},'
        '"uname":{"labels":{"sysname":["Linux"],"release":["6.1"],'
        '"version":["\\u0023 1 \\"SMP\\""],"machine":["x86_64"],'
        '"nodename":["pi \u00e9 \U0001f99c"],"domainname":[""]}}}',
        "[3600]",
    )
    yield layout(
        "packed-newer-agent",
        "A section, a column and a field that this version does not know. Their numbers count.",
        '{"cpu":{"labels":{"cpu":["0"]},"values":["user","warp"],"unit":"s"},'
        '"zfs":{"labels":{"pool":["a","b"]},"values":["reads"]}}',
        "[1,2,3,4]",
    )
    yield layout(
        "packed-numbers",
        "Numbers are float64. Some values of timex may be negative.",
        '{"timex":{"values":["offset","status"]},"vmstat":{"values":["a","b","c","d"]}}',
        "[-1e-6,64,1e308,5e-324,18446744073709551615,9007199254740993]",
    )
    yield layout(
        "packed-white-space",
        "White space is allowed within the header, the numbers and the value of a section, but not "
        "between sections.",
        '{"system":{ "values" : [ "load1" ] }}',
        " [ 0.5 ] ",
    )
    yield layout(
        "packed-most-items",
        "16 sections with a label and 47 rows each, and 16 for each section: 1,024, the most.",
        sections_with_rows(47),
    )
    yield packed(
        "packed-fourth-line",
        "A fourth line has an object of tables whose texts change with every report, and perhaps "
        "of what this version does not know.",
        '{"system":{"values":["load1"]}}',
        "[0.5]",
        '{"processes":{"pid":["812","1"],"name":["postgres","init (1)"],"user":["70",""],'
        '"start_time":[1763953000,null],"cpu":[1.25,0.004],"memory":[71303168,8192]},"moon":[1]}',
    )
    bye = HEADER.replace('"parts"', '"bye":true,"parts"')
    yield packed("packed-bye", "The agent stops.", "{}", "[]", header=bye)
    lines = '{"host":"pi"}\n{"system":{"values":["load1"]}}\n[0.5]'
    compressor = zlib.compressobj(wbits=-15)
    stream = compressor.compress(lines.encode()) + compressor.flush()
    yield (
        "packed-without-the-dictionary",
        "A stream may leave the dictionary unused.",
        b"\xb0\x01" + stream,
        lines.split("\n"),
    )
    yield (
        "packed-stored",
        "A stream may have stored blocks: compression is not required.",
        deflated(lines, level=0),
        lines.split("\n"),
    )


def sections_with_rows(rows: int) -> str:
    """Return a layout of 16 sections with the same rows and no numbers."""
    texts = ",".join(f'"{number}"' for number in range(rows))
    sections = (f'"a{number}":{{"labels":{{"b":[{texts}]}}}}' for number in range(16))
    return f"{{{','.join(sections)}}}"


def refused() -> Iterator[Vector]:
    """Yield datagrams that every exporter refuses."""
    yield from _refused_bytes()
    yield from _refused_plain()
    yield from _refused_lines()
    yield from _refused_sections()
    yield from _refused_families()


def _refused_bytes() -> Iterator[Vector]:
    yield "empty", "No bytes.", b"", None
    yield plain("array", "The first byte is neither {, white space nor B0.", "[]")
    yield "byte-order-mark", "JSON has no byte order mark.", b'\xef\xbb\xbf{"host":"pi"}', None
    yield plain("long", "1,201 bytes.", '{"host":"pi"}'.ljust(1201))
    whole = deflated('{"host":"pi"}\n{"system":{"values":["load1"]}}\n[0.5]')
    yield "form-alone", "The number of the dictionary is missing.", whole[:1], None
    yield "dictionary-0", "There is no dictionary 0.", b"\xb0\x00" + whole[2:], None
    yield "no-stream", "The stream is missing.", whole[:2], None
    yield "stream-ends-early", "The last byte of the stream is missing.", whole[:-1], None
    yield "byte-after-the-stream", "A byte follows the stream.", whole + b"\x00", None
    zlib_stream = zlib.compress(b'{"host":"pi"}\n{}\n[]')
    yield "zlib-stream", "A zlib stream (RFC 1950) is not raw.", b"\xb0\x01" + zlib_stream, None
    inflated = '{"host":"pi"}\n{}\n[]'.ljust(16 * 1024 + 1)
    yield "long-inflated", "16,385 bytes when inflated.", deflated(inflated), None


def _refused_plain() -> Iterator[Vector]:
    yield plain("plain-cut", "The object does not end.", '{"host":"pi"')
    yield plain("plain-two-objects", "Two objects.", '{"host":"pi"}{}')
    yield plain("plain-nan", "JSON has no NaN.", '{"host":"pi","gauges":{"a":NaN}}')
    yield plain("plain-1e400", "A number beyond float64.", '{"host":"pi","gauges":{"a":1e400}}')
    yield plain("plain-lone-surrogate", "No character.", '{"host":"\\ud800"}')
    yield "plain-latin-1", "No UTF-8.", b'{"host":"\xe9"}', None
    yield plain("plain-no-host", "The host is missing.", '{"gauges":{"a":1}}')
    yield plain("plain-host-empty", "The host is empty.", '{"host":""}')
    yield plain("plain-host-long", "256 characters.", f'{{"host":"{"x" * 256}"}}')
    yield plain("plain-session-alone", "session needs seq.", '{"host":"pi","session":1}')
    yield plain("plain-seq-float", "seq is an integer.", '{"host":"pi","session":1,"seq":1.0}')
    yield plain("plain-interval-short", "0.1 s at least.", '{"host":"pi","interval":0.01}')
    yield plain("plain-bye-number", "bye is a boolean.", '{"host":"pi","bye":1}')
    yield plain(
        "plain-part-alone", "part needs parts.", '{"host":"pi","session":1,"seq":1,"part":1}'
    )
    yield plain("plain-parts-alone", "parts needs session and seq.", '{"host":"pi","parts":1}')
    yield plain(
        "plain-part-beyond-parts",
        "The parts are 0 and 1.",
        '{"host":"pi","session":1,"seq":1,"parts":2,"part":2}',
    )
    yield plain("plain-257-parts", "256 at most.", '{"host":"pi","session":1,"seq":1,"parts":257}')
    yield plain("plain-string", "A number in quotes.", '{"host":"pi","gauges":{"a":"1"}}')
    yield plain("plain-boolean", "A boolean.", '{"host":"pi","system":{"load1":true}}')
    yield plain("plain-negative", "Less than 0.", '{"host":"pi","memory":{"total":-1}}')
    yield plain("plain-no-keys", "Texts are missing.", '{"host":"pi","cpu":{"user":[1]}}')
    yield plain("plain-no-rows", "A table has a row.", '{"host":"pi","cpu":{"cpu":[]}}')
    yield plain(
        "plain-unequal-columns",
        "Two cores, but one number.",
        '{"host":"pi","cpu":{"cpu":["0","1"],"user":[1]}}',
    )
    yield plain(
        "plain-same-keys", "The core 0 is there twice.", '{"host":"pi","cpu":{"cpu":["0","0"]}}'
    )
    yield plain("plain-map-name", "A bad name.", '{"host":"pi","meminfo":{"Active(anon)":1}}')
    yield plain("plain-gauge-name", "A bad name.", '{"host":"pi","gauges":{"a:b":1}}')
    yield plain("plain-gauge-up", "A name of Prometheus.", '{"host":"pi","gauges":{"up":1}}')
    yield plain(
        "plain-label-job", "A label that Prometheus sets.", '{"host":"pi","labels":{"job":"a"}}'
    )
    yield plain(
        "plain-family-without-type",
        "type is missing.",
        '{"host":"pi","families":{"a":{"values":[1]}}}',
    )


def _refused_lines() -> Iterator[Vector]:
    short = '{"host":"pi"}'
    yield packed("two-lines", "The numbers are missing.", "{}", header=short)
    yield packed("five-lines", "A line too many.", "{}", "[]", "{}", "{}", header=short)
    yield packed("long-header", "513 bytes.", "{}", "[]", header=short.ljust(513))
    yield packed("header-array", "No object.", "{}", "[]", header='["pi"]')
    yield packed("fourth-line-array", "No object.", "{}", "[]", "[1]", header=short)
    for name, text, table in (
        ("negative", "A negative number.", '{"pid":["1"],"name":["init"],"cpu":[-1]}'),
        ("pid", "A pid is digits.", '{"pid":["a"],"name":["init"]}'),
        ("without-name", "A name is missing.", '{"pid":["1"]}'),
        ("same-pid", "A process is there twice.", '{"pid":["1","1"],"name":["a","b"]}'),
        ("lengths", "Columns differ in length.", '{"pid":["1","2"],"name":["a"]}'),
        ("control", "A control character.", '{"pid":["1"],"name":["a\\u001b[2J"]}'),
    ):
        line = f'{{"processes":{table}}}'
        yield packed(f"processes-{name}", text, "{}", "[]", line, header=short)
    one = '{"system":{"values":["load1"]}}'
    for name, numbers in (
        ("object", '{"0":1}'),
        ("boolean", "[true]"),
        ("string", '["1"]'),
        ("nested", "[[1]]"),
        ("comma", "[1,]"),
        ("nan", "[NaN]"),
        ("1e400", "[1e400]"),
    ):
        yield layout(f"numbers-{name}", "Numbers are an array of numbers and nulls.", one, numbers)
    yield layout("numbers-missing", "One cell, but no number.", one)
    yield layout("numbers-more", "One cell, but two numbers.", one, "[1,2]")
    yield layout(
        "numbers-of-absent-cells",
        "An absent cell has no number, not even null.",
        '{"system":{"values":["load1","load5"],"absent":[1]}}',
        "[1,null]",
    )
    yield layout("number-negative", "Less than 0.", one, "[-1]")
    yield layout("layout-array", "No object.", "[]")
    yield layout("layout-space", "A space between sections.", '{"a":{}, "b":{}}')
    yield layout("layout-escape", "An escape in the name of a section.", '{"\\u0061":{}}')
    yield layout("layout-same-name", "A name twice.", '{"a":{},"a":{}}')
    many = ",".join(f'"a{number}":{{}}' for number in range(129))
    yield layout("layout-129-sections", "128 at most.", f"{{{many}}}")


def _refused_sections() -> Iterator[Vector]:
    yield layout("items", "16 sections with 48 rows each: 1,040 of 1,024.", sections_with_rows(48))
    text, columns = "x" * 255, ",".join(f'"a{number}"' for number in range(400))
    texts = ",".join(f'"{number:x<255}"' for number in range(12))
    line = f'{{"a_*":{{"type":"gauge","labels":{{"b":[{texts}]}},"values":[{columns}]}}}}'
    yield layout("label-bytes", "Over 1 MiB of labels in an exposition.", line, f"[{'0,' * 4799}0]")
    labels = ",".join(f'"a{number}":["b"]' for number in range(17))
    yield layout(
        "17-labels",
        "16 label columns at most.",
        f'{{"a":{{"type":"gauge","labels":{{{labels}}}}}}}',
        "[1]",
    )
    yield layout("name", "A bad name of a section.", '{"a-b":{}}')
    yield layout("section-array", "A section is an object.", '{"cpu":[]}')
    yield layout("no-labels", "cpu has the label cpu.", '{"cpu":{"values":["user"]}}', "[1]")
    yield layout(
        "labels-order",
        "Labels in another order than that of the schema.",
        '{"fans":{"labels":{"sensor":["a"],"chip":["b"]},"values":["rpm"]}}',
        "[1]",
    )
    yield layout("map-labels", "A map has no labels.", '{"vmstat":{"labels":{"a":["b"]}}}')
    yield layout("text-long", "256 characters.", f'{{"arp":{{"labels":{{"device":["{text}x"]}}}}}}')
    yield layout("text-number", "A number.", '{"arp":{"labels":{"device":[1]}}}')
    yield layout("column-name", "A bad name.", '{"system":{"values":["load 1"]}}', "[1]")
    two = '{{"cpu":{{"labels":{{"cpu":["0","1"]}},"values":["user"],"absent":{}}}}}'
    for name, absent in (
        ("order", "[1,0]"),
        ("twice", "[0,0]"),
        ("beyond", "[2]"),
        ("negative", "[-1]"),
        ("float", "[0.0]"),
    ):
        description = "Absent cells are 0 or 1, each once, ascending, as integers."
        yield layout(f"absent-{name}", description, two.format(absent))
    yield layout(
        "unequal-labels",
        "Two chips, but one sensor.",
        '{"fans":{"labels":{"chip":["a","b"],"sensor":["c"]}}}',
    )
    yield layout("same-keys", "The core 0 twice.", '{"cpu":{"labels":{"cpu":["0","0"]}}}')
    yield layout(
        "record-rows", "A record has one row.", '{"time_zone":{"labels":{"time_zone":["a","b"]}}}'
    )
    yield layout(
        "same-column", "A column twice.", '{"system":{"values":["load1","load1"]}}', "[1,1]"
    )
    yield layout(
        "meminfo-and-memory",
        "The exporter derives memory and swap from meminfo.",
        '{"memory":{"values":["total"]},"meminfo":{"values":["MemTotal_bytes"]}}',
        "[1,1]",
    )
    yield layout("own-label-number", "A number.", '{"labels":{"room":1}}')
    yield layout("own-label-name", "A bad name.", '{"labels":{"_room":"a"}}')
    yield layout(
        "own-label-instance", "The exporter sets this label.", '{"labels":{"instance":"a"}}'
    )


def _refused_families() -> Iterator[Vector]:
    yield layout("family-type", "No such type.", '{"a":{"type":"info"}}', "[1]")
    yield layout("family-name", "A bad name.", '{"1a":{"type":"gauge"}}', "[1]")
    yield layout(
        "family-values", "values need a *.", '{"a":{"type":"gauge","values":["b"]}}', "[1]"
    )
    yield layout("family-two-stars", "One *.", '{"a_*_*":{"type":"gauge","values":["b"]}}', "[1]")
    yield layout(
        "family-help",
        "One text for each name.",
        '{"a_*":{"type":"gauge","help":["A."],"values":["b","c"]}}',
        "[1,2]",
    )
    yield layout("family-help-line", "One line.", '{"a":{"type":"gauge","help":"A.\\nB."}}', "[1]")
    yield layout(
        "family-label",
        "A label of Prometheus.",
        '{"a":{"type":"gauge","labels":{"job":["1"]}}}',
        "[1]",
    )
    yield layout("family-host", "A reserved name.", '{"host_a":{"type":"gauge"}}', "[1]")
    yield layout(
        "family-section", "The name of a section.", '{"*":{"type":"gauge","values":["cpu"]}}', "[1]"
    )
    yield layout(
        "family-of-the-exporter",
        "The exporter makes this family of the section system.",
        '{"node_load1":{"type":"gauge"}}',
        "[1]",
    )
    yield layout(
        "family-twice",
        "Two sections have the family a_b.",
        '{"a_*":{"type":"gauge","values":["b"]},"a_b":{"type":"gauge"}}',
        "[1,1]",
    )
    yield layout(
        "counter-negative", "A counter is 0 or more.", '{"a_total":{"type":"counter"}}', "[-1]"
    )


def answer(datagram: bytes) -> dict[str, Any]:
    """Return the report that a datagram is, or the reason for which it is refused."""
    try:
        return {"report": msgspec.to_builtins(contents(datagram, CATALOG))}
    except (DecodeError, AdmissionError) as error:
        return {"reason": str(error.reason)}


def vectors(kind: str) -> list[dict[str, Any]]:
    """Return the vectors of a file, ``accepted`` or ``refused``.

    Raises:
        ValueError: when an accepted datagram is refused or the other way round, when a datagram
            is too long, or when a name is used twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, description, datagram, lines in {"accepted": accepted, "refused": refused}[kind]():
        answered = answer(datagram)
        is_expected = ("report" in answered) is (kind == "accepted")
        is_long = len(datagram) > MAX_DATAGRAM_BYTES  # and so refused for no other reason
        if name in found or not is_expected or is_long is not (name == "long"):
            raise ValueError(f"{name}: {answered}")
        vector: dict[str, Any] = {"name": name, "description": description}
        if lines is not None:
            vector["lines"] = lines
        found[name] = vector | {"datagram": datagram.hex()} | answered
    return [*found.values()]


def document(kind: str) -> str:
    """Return the vectors of a file as JSON, each field on its line."""
    texts = [
        ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in vector.items())
        for vector in vectors(kind)
    ]
    return "[\n" + ",\n".join(f" {{\n{text}\n }}" for text in texts) + "\n]\n"


if __name__ == "__main__":
    for each in ("accepted", "refused"):
        (Path(sys.argv[1]) / f"{each}.json").write_text(document(each), encoding="utf-8")
