"""Text files of other programs: what the agent makes of them, the exporter accepts.

An input is one file, or several with a line of ``%`` between them.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.repair import valid
from pombo_agent.collecting.sources import Sources, Usages
from pombo_agent.collectors import textfile
from pombo_wire.section import Section
from pombo_wire.splitting import Splitter
from support.books import check_books, check_series
from support.builders import SESSION, Exporter

from fuzz.answers import check_answers
from fuzz.fuzzer import Fuzzer, MutateBytes

_BETWEEN = b"\n%\n"
_MOST_FILES = 4
_FOLDER = tempfile.TemporaryDirectory()


def _no_usages(_: Iterable[str]) -> Usages:
    return Usages({}, {})


def _run(data: bytes) -> None:
    folder = Path(_FOLDER.name) / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, text in enumerate(data.split(_BETWEEN)[:_MOST_FILES]):
        (folder / f"{number}.prom").write_bytes(text)
    skips = Skips()
    flags = Flags({"directory": [str(folder)]})
    sources = Sources(folder, folder, folder, folder, flags, _no_usages, skips, {})
    exporter, splitter, seq = Exporter(), Splitter(), 0
    for _ in range(2):  # the second time, nothing has changed
        found = [valid(section, skips) for section in textfile.collect(sources)]
        datagrams, left_out = splitter.datagrams(_header(seq, exporter), found)
        assert not left_out
        for datagram in datagrams:
            exporter.take_datagram(datagram)
        seq += len(datagrams)
        exporter.wait(5.0)
    check_books(exporter.roster)
    check_series(exporter.roster)
    check_answers(exporter)
    _check_values(exporter, found)


def _header(seq: int, exporter: Exporter) -> dict[str, object]:
    times = {"time": exporter.wall, "monotonic": exporter.now, "interval": 5.0}
    return {"host": "pi", "session": SESSION, "seq": seq, **times}


def _check_values(exporter: Exporter, sections: list[Section]) -> None:
    """Check that the exposition has each value of the files once."""
    shown = exporter.samples()
    for section in sections:
        if section.type:
            rows = zip(*section.labels.values(), strict=True) if section.labels else [()]
            for texts, value in zip(rows, section.cells, strict=True):
                pairs = zip(section.labels, texts, strict=True)
                assert shown.pop((section.name, tuple(sorted(pairs)))) == value
    assert all(name.startswith(("pombo_host_", "node_textfile_")) for name, _ in shown)


def _seeds() -> Iterator[bytes]:
    yield b'# HELP a Text.\n# TYPE a gauge\na{x="1"} 2\na{y="3"} -4\nb 5\n'
    counter = b"# TYPE c_total counter\n"
    yield counter + b"c_total 1" + _BETWEEN + counter + b'c_total{x="\\"\\\\\\n"} 1e3\n'
    yield (
        b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n'
        b'# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 3\ns_count 2\n'
    )
    yield b'a{instance="x",job="y",exported_job="z"} NaN\nb +Inf\nc 1 1000\n'
    yield b"a 1"


_TOKENS = (
    *(b"# HELP ", b"# TYPE ", b"a", b"a_total", b"h_bucket", b"h_sum", b"h_count", b"s", b"node_"),
    *(b"{", b"}", b'="', b'"', b",", b'{le="1"}', b'{quantile="0.5"}', b"\\n", b"\\\\", b"\\x"),
    *(b" gauge", b" counter", b" histogram", b" summary", b" untyped", b" 1", b" NaN", b" +Inf"),
    *(b" 1e308", b" -0", b" 0x1", b" 18446744073709551616", b"\n", b"\r\n", b"\t", b"\n%\n"),
    *(b'{instance="x"}', b'{job=""}', b"\xff", "é🕊".encode(), b"\0", b"_created", b'{x=""}'),
)


def _mutate(data: bytes, random: Random, mutate: MutateBytes) -> bytes:
    """Return a text with other tokens, other lines, or other bytes."""
    kind = random.random()
    if kind < 0.3:
        return mutate(data)
    if kind < 0.7:
        at = random.randint(0, len(data))
        return data[:at] + random.choice(_TOKENS) + data[at + random.choice((0, 0, 1, 4)) :]
    lines = data.split(b"\n")
    at = random.randrange(len(lines))
    if kind < 0.8:
        del lines[at]
    elif kind < 0.9:
        lines.insert(random.randint(0, len(lines)), lines[at])
    else:
        random.shuffle(lines)
    return b"\n".join(lines)


FUZZER = Fuzzer(_run, _seeds, most_bytes=4096, mutate=_mutate)
