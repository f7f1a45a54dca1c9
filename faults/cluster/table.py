"""Writes the section of docs/reliability.md about several exporters and their stores."""

from collections.abc import Iterable, Sequence

from bench.report.results import circumstances
from faults.cluster.trial import Finding, Settings
from faults.table import CLUSTER, PATH

_TEXT = """
{day}: {machine}.

`make rig` does this and writes this section. It ends with an error, and writes no row about these
kills, if one of the rules below is broken. The services of
[`deploy/cluster`](../deploy/cluster/docker-compose.yml) run as plain processes with the flags and
files that are there, in one network namespace, but {speed} times as fast: hosts report every
{report:g} s, exporters are scraped every {scrape} s, and so on.

{hosts} simulated hosts report sealed, with `--server-mode=shard --server-replicas=2`, to three
exporters. They use the agent's own code to choose exporters, to seal, to send and to read answers.
The network loses {lost:.1%} of the datagrams to each exporter, at random, all the time. Two
vmagents scrape all exporters, and write to two stores at the same time: two deduplicating
VictoriaMetrics, and three Prometheus that another one reads.

Each kill is a SIGKILL at a random moment. Exporters are away for 1 to 15 s, so that some of their
hosts choose another one; vmagents and stores for 1 to 10 s. The next kill waits until each host is
live at two exporters again, until the vmagent has scraped all exporters, or until the vmagents have
nothing left for the stores. [A replicated store](cluster.md) explains why these rules hold:

- No host is ever **without a sample** for longer than one scrape interval and one report interval,
  {longest:g} s.
- No total ever **decreases**.
- `increase()` over the whole time equals the **truth**: by how much the totals of the hosts grew,
  which is known to the byte. For Prometheus, a subquery takes one sample of each scrape interval.
  Without that, totals decrease for a moment when a datagram is lost: this is the column *without
  deduplication*.
- While a store is dead, its replicas **answer** for all hosts. No store refuses any samples.

"""

_HEADS = (
    "killed",
    "kills",
    "store",
    "longest time without a sample",
    "decreases",
    "decreases without deduplication",
    "totals",
    "`increase()` less the truth, bytes",
)


#: What is killed, in the order of the table.
_KILLED = ("an exporter", "a vmagent", "a store")


def cells(finding: Finding) -> tuple[str, ...]:
    """Return a row of the table."""
    return (
        finding.killed,
        str(finding.kills),
        finding.store,
        f"{finding.longest_gap:.1f} s",
        f"{finding.decreases:,}",
        "not kept" if finding.raw_decreases is None else f"{finding.raw_decreases:,}",
        f"{finding.totals:,}",
        f"{finding.difference:,.0f}",
    )


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| " + " | ".join(_HEADS) + " |", "|---" * len(_HEADS) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def rows_of(text: str) -> list[Sequence[str]]:
    """Return the rows of the table in a document."""
    _, _, section = text.partition(CLUSTER)
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines[1:]]


def write(findings: Sequence[Finding], settings: Settings) -> None:
    """Write the section with these findings, and with the rows about other kills as they are."""
    before = PATH.read_text("utf-8")
    new = {finding.killed for finding in findings}
    rows = [*map(cells, findings), *(row for row in rows_of(before) if row[0] not in new)]
    rows.sort(key=lambda row: _KILLED.index(row[0]))
    text = _TEXT.format(
        scrape=settings.scrape,
        hosts=settings.hosts,
        report=settings.report,
        speed=settings.speed,
        lost=settings.lost,
        longest=settings.longest_gap,
        **circumstances(),
    )
    above, _, _ = before.partition(CLUSTER)
    PATH.write_text(above + CLUSTER + text + table(rows), "utf-8")
