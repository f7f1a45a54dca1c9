"""Writes docs/reliability.md."""

from collections.abc import Sequence
from pathlib import Path

from bench.report.results import circumstances
from faults.harness.outcome import HEADS

PATH = Path(__file__).parents[1] / "docs" / "reliability.md"

_TEXT = """\
# Reliability

What Pombo does under faults. Each row is a fault that was done to real processes, and what was
found afterwards. `{command}` does all of them and writes this file; it ends with an error, and
writes nothing, when a rule does not hold.

{day}: {machine}.

The exporter runs as [docs/secure.md](secure.md) sets it up, with a key file, a state file and
`--require-sealed`, and with `--limit.bytes=8MiB`; only where memory is filled does it take plain
reports, too. 500 hosts report, unless a row has another number: each second, and each 2 s beside
floods and clients of HTTP. They are played by the agent's own code for sealing, sending and reading
answers, and their totals are known. Everything is in a network namespace of its own, and the
exporter, the hosts and the fault share the machine.

After each fault:

- Each host is **live again** within two intervals of the end of the fault. Where the exporter was
  killed, that is when it serves again. A real agent that was killed also needs the time to start.
- Each **total** of each host in the exposition is that of its last report, to the byte.
- In no scrape, during or after the fault, was a host shown as **down** that had sent a datagram
  within three intervals, or as **late** within two, counting only datagrams that the network
  delivers. No scrape had a **forged** value: one that the host never had, one that a later report
  had replaced, or a host that does not exist.
- Nothing else was **refused**. In floods, the datagrams that were sent are those that were
  accepted, those that were refused, by reason, and those that the kernel dropped, by its own count
  in `/proc/net/udp`.
- The exporter's resident **memory** never was above its bound: what it takes without hosts, twice
  `--limit.bytes`, and 12 MiB for requests ([Sizing](sizing.md#limit)). Where clients never read,
  40 answers that wait for them come to that, with 52 bytes for each series
  ([HTTP](sizing.md#http)).

"""


def write(path: Path, command: str, rows: Sequence[Sequence[str]]) -> None:
    """Write the document with these rows; the first cell of each is the fault."""
    path.write_text(_TEXT.format(command=command, **circumstances()) + table(rows), "utf-8")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
