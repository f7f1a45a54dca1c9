"""The fleet on a screen: a head with the totals, and a table whose columns fit."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from pombo_cli import human
from rich.text import Text

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import RANKS, Severity
from pombo_exporter.top.bars import bar, cell, percent, safe
from pombo_exporter.top.table import attention
from pombo_exporter.views.filter import fullest_ratio, traffic
from pombo_exporter.views.schema import ExporterStatus, HostSummary

GAP: Final = 2  # cells between columns

SEVERITY_STYLES: Final = {
    Severity.OK: "dim",
    Severity.WARNING: "yellow",
    Severity.CRITICAL: "bold red",
}
STATE_STYLES: Final = {State.LIVE: "dim", State.LATE: "yellow", State.DOWN: "bold red"}

#: Marks a value that is a reason, so that no colour is needed to see it.
MARK: Final = "!"

_NUMBERS: Final = 6  # cells of a percentage and its mark


class Column(NamedTuple):
    """A column: a narrow screen leaves out those of the greatest ``rank``.

    ``text`` is what a host has in it, and ``share`` what its bar shows. It has at least ``least``
    and at most ``most`` cells; ``reasons`` are those that its value may have.
    """

    title: str
    rank: int
    least: int
    most: int
    text: Callable[[HostSummary], str]
    share: Callable[[HostSummary], float | None] | None = None
    reasons: tuple[str, ...] = ()
    right: bool = False


def _labels(host: HostSummary) -> str:
    return " ".join(f"{name}={value}" for name, value in host.labels.items())


def _mountpoint(host: HostSummary) -> str:
    return host.fullest_filesystem.mountpoint if host.fullest_filesystem else human.UNKNOWN


def _busiest(host: HostSummary) -> str:
    found = host.busiest_process
    return f"{percent(found.cpu_usage_ratio):>6} {found.name}" if found else human.UNKNOWN


def _seen(host: HostSummary) -> str:
    return age(host.last_seen_age_seconds)


def age(seconds: float) -> str:
    """Return a duration in whole seconds, so that it does not flicker."""
    return human.span(float(int(seconds)))


def _share(
    title: str, rank: int, share: Callable[[HostSummary], float | None], *reasons: str
) -> Column:
    return Column(title, rank, 11, 27, lambda host: percent(share(host)), share, reasons)


def _speed(title: str, rank: int, value: Callable[[HostSummary], float | None]) -> Column:
    return Column(title, rank, 10, 10, lambda host: human.speed(value(host)), right=True)


#: The columns in the order in which they are shown.
COLUMNS: Final = (
    Column("HOST", 0, 16, 40, lambda host: host.name),
    Column("SEVERITY", 1, 8, 8, lambda host: host.severity),
    Column("STATE", 6, 5, 5, lambda host: host.state),
    Column("SEEN", 8, 11, 11, _seen, reasons=("down", "late"), right=True),
    _share("CPU", 2, lambda host: host.cpu_usage_ratio),
    _share("MEMORY", 3, lambda host: host.memory_used_ratio, "memory", "swap"),
    _share("DISK", 4, fullest_ratio, "disk"),
    Column("MOUNT", 10, 8, 24, _mountpoint, reasons=("disk",)),
    _speed("NETWORK", 5, traffic),
    _speed("RECEIVE", 12, lambda host: host.network_receive_bytes_per_second),
    _speed("TRANSMIT", 13, lambda host: host.network_transmit_bytes_per_second),
    Column(
        *("LOST", 9, 6, 6, lambda host: percent(host.datagram_loss_ratio)),
        reasons=("loss",),
        right=True,
    ),
    Column("ATTENTION", 7, 16, 60, attention),
    Column("PROCESS", 11, 16, 28, _busiest),
    Column("LABELS", 14, 16, 50, _labels),
    Column("UPTIME", 15, 11, 11, lambda host: human.span(host.uptime_seconds), right=True),
    Column(
        *("CLOCK", 16, 8, 11, lambda host: human.span(host.clock_offset_seconds)),
        reasons=("clock",),
        right=True,
    ),
    Column("EVERY", 17, 6, 11, lambda host: human.span(host.interval_seconds), right=True),
    Column("ADDRESS", 18, 15, 39, lambda host: host.address),
    Column("AGENT", 19, 8, 20, lambda host: host.agent_version or human.UNKNOWN),
)

#: From the first that gets more space to the last.
_TEXTS: Final = ("HOST", "ATTENTION", "MOUNT", "PROCESS", "LABELS")
_GROWS: Final = ("HOST", "ATTENTION", "MOUNT", "PROCESS", "CPU", "MEMORY", "DISK", "LABELS")

_ROOMY: Final = 100  # cells from which texts get more space


def fitting(hosts: Sequence[HostSummary], width: int) -> list[tuple[Column, int]]:
    """Return the columns that fit into ``width`` cells, and the width of each."""
    wanted = {column.title: _wanted(column, hosts) for column in COLUMNS}
    widths: dict[str, int] = {}
    left = width + GAP
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        least = column.least
        if width >= _ROOMY and column.title in _TEXTS:
            least = least * 3 // 2  # rather a text that can be read than one more column
            if column.title == "ATTENTION":
                least = max(least, min(wanted[column.title], left - GAP))
        least = min(least, wanted[column.title])
        if least + GAP > left and widths:
            break
        widths[column.title] = min(least, width)
        left -= least + GAP
    for title in (*_GROWS, *(column.title for column in COLUMNS)):
        if title in widths:
            more = max(0, min(wanted[title] - widths[title], left))
            widths[title] += more
            left -= more
    return [(column, widths[column.title]) for column in COLUMNS if column.title in widths]


def _wanted(column: Column, hosts: Iterable[HostSummary]) -> int:
    """Return how many cells a column would fill."""
    if column.share or column.least == column.most:
        return column.most
    longest = max((cell_width(column.text(host)) for host in hosts), default=0)
    return max(len(column.title), min(longest, column.most))


def cell_width(text: str) -> int:
    """Return how many cells a text of a host takes."""
    return Text(safe(text)).cell_len


def header(columns: Sequence[tuple[Column, int]], sorted_by: str, *, up: bool) -> Text:
    """Return the line of titles, with an arrow at the column that the table is sorted by."""
    found = Text(end="", no_wrap=True)
    for column, width in columns:
        is_sorted = column.title == sorted_by
        title = f"{column.title}{'^' if up else 'v'}" if is_sorted else column.title
        if cell_width(title) > width:
            title = column.title
        style = "bold reverse" if is_sorted else "bold"
        found.append_text(cell(title, width, style, right=column.right))
        found.append(" " * GAP)
    return found


def row(host: HostSummary, columns: Sequence[tuple[Column, int]], *, unicode: bool) -> Text:
    """Return the line of a host."""
    found = Text(end="", no_wrap=True)
    for column, width in columns:
        style = _style(host, column)
        if column.share:
            marked = MARK if style else " "
            drawn = max(0, width - _NUMBERS - 1)
            grey = style or ("bright_black" if host.state is State.DOWN else "")
            found.append_text(bar(column.share(host), drawn, grey, unicode=unicode))
            found.append_text(cell(column.text(host), width - drawn - 1, grey, right=True))
            found.append(marked, style)
        else:
            found.append_text(cell(column.text(host) or human.UNKNOWN, width, style,
                                   right=column.right))  # fmt: skip
        found.append(" " * GAP)
    return found


def _style(host: HostSummary, column: Column) -> str:
    if column.title == "STATE":
        return STATE_STYLES[host.state]
    if column.title in {"SEVERITY", "ATTENTION"}:
        return SEVERITY_STYLES[host.severity]
    if column.title == "HOST":
        return "" if host.severity is Severity.OK else SEVERITY_STYLES[host.severity]
    found = next((reason for reason in host.reasons if reason.id in column.reasons), None)
    return SEVERITY_STYLES[found.severity] if found else ""


def summary(
    status: ExporterStatus | None, hosts: Sequence[HostSummary], width: int, *, unicode: bool
) -> tuple[Text, Text]:
    """Return two lines with the totals of the fleet, of which a narrow screen cuts the end.

    They are empty before the exporter has answered.
    """
    if status is None:
        return Text(), Text()
    fleet, counts = status.totals, {state: getattr(status.hosts, state) for state in State}
    states = Text("  ").join(
        Text(f"{count:,} {state}", STATE_STYLES[state] if count else "dim")
        for state, count in counts.items()
    )
    severities = [host.severity for host in hosts if host.severity is not Severity.OK]
    needs = f"{len(severities):,} need{'s' if len(severities) == 1 else ''} attention"
    urgent = SEVERITY_STYLES[max(severities, key=RANKS.__getitem__)] if severities else ""
    drawn = 10 if width >= _ROOMY else 0
    cpu = _ratio(fleet.cpu_busy_cores, fleet.cpu_cores)
    memory = _ratio(fleet.memory_used_bytes, fleet.memory_total_bytes)
    busy = f"{fleet.cpu_busy_cores:,.1f} of {fleet.cpu_cores:,} cores{' busy' if drawn else ''}"
    used, total = human.size(fleet.memory_used_bytes), human.size(fleet.memory_total_bytes)
    received = human.speed(fleet.network_receive_bytes_per_second)
    sent = human.speed(fleet.network_transmit_bytes_per_second)
    datagrams = fleet.datagrams_per_second
    rate = human.UNKNOWN if datagrams is None else f"{datagrams:,.0f}"
    return (
        _line(
            states,
            Text(needs, urgent),
            _with_bar(busy, cpu, drawn, unicode=unicode),
            Text(f"loss {human.ratio(fleet.datagram_loss_ratio)}"),
        ),
        _line(
            _with_bar(f"memory {used} of {total}", memory, drawn, unicode=unicode),
            Text(f"in {received}  out {sent}"),
            Text(f"{rate} datagrams/s"),
        ),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _with_bar(words: str, share: float | None, width: int, *, unicode: bool) -> Text:
    found = Text(words)
    if width:
        found.append(" ").append_text(bar(share, width, unicode=unicode))
    return found


def _line(*parts: Text) -> Text:
    found = Text.assemble((" | ", "bright_black")).join(parts)
    found.no_wrap, found.overflow, found.end = True, "ellipsis", ""
    return found
