"""Writes docs/reliability.md."""

from collections.abc import Sequence
from pathlib import Path

from bench.report.results import circumstances
from faults.harness.outcome import HEADS

PATH = Path(__file__).parents[1] / "docs" / "reliability.md"

_TEXT = """\
# Reliability

What Pombo does under faults. Each row is a fault that was done to real processes, and what was
found afterwards. `{command}` does all of them and writes this file, but for its last section; it
ends with an error, and writes nothing, if one of the rules below is broken.

{day}: {machine}.

The exporter runs as in [Secure reports](secure.md), with a key file, a state file and
`--require-sealed`, and with `--limit.bytes=8MiB`; only in the row about memory does it take plain
reports, too. 500 hosts report, unless a row has another number: every second, and every 2 s during
floods and beside HTTP clients. They are simulated with the agent's own code for sealing, sending
and reading answers, and their true totals are known. All of this runs in one network namespace on
one machine.

After each fault:

- Each host is **live again** within two intervals after the end of the fault. If the exporter was
  killed, the fault ends when it serves again. A real agent that was killed also needs time to
  start.
- Each **total** of each host in the exposition is exactly that of its last report.
- In no scrape, during or after the fault, was a host shown as **down** that had sent a datagram
  within three intervals, or as **late** within two, counting only datagrams that the network
  delivers. No scrape had a **forged** value: one that the host never had, one that a later report
  had replaced, or a host that does not exist.
- Nothing else was **refused**. In floods, every datagram that was sent was accepted, refused with
  the right reason, or dropped by the kernel, as counted in `/proc/net/udp`.
- The exporter's resident **memory** was never above its bound: its memory without hosts, plus twice
  `--limit.bytes`, plus 12 MiB for requests ([Sizing](sizing.md#limit)). If clients never read, 40
  waiting answers are added, with 52 bytes for each series ([HTTP](sizing.md#http)).

"""


#: The heading of the section that the trial of the cluster writes, and the last of the document.
CLUSTER = "\n## Several exporters and replicated stores\n"


def write(path: Path, command: str, rows: Sequence[Sequence[str]]) -> None:
    """Write the document with these rows; the first cell of each is the fault.

    Its last section stays as it is.
    """
    _, heading, rest = path.read_text("utf-8").partition(CLUSTER) if path.exists() else ("",) * 3
    text = _TEXT.format(command=command, **circumstances()) + table(rows)
    path.write_text(text + heading + rest, "utf-8")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
