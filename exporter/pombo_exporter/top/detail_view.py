"""One host on a screen, the most important first."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pombo_cli import human
from rich.text import Text

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.top.bars import bar, cell, percent, safe
from pombo_exporter.top.fleet_view import MARK, SEVERITY_STYLES, STATE_STYLES, age
from pombo_exporter.views.resources import numeric
from pombo_exporter.views.schema import HostDetail, Process

_COLUMN: Final = 60  # the fewest cells of a column, where there are several
_BETWEEN: Final = 3  # cells between columns
_MOST_ROWS: Final = 256  # of one section; a host may have thousands of containers
_FEW_CORES: Final = 32  # that have bars


def lines(host: HostDetail, width: int, *, unicode: bool) -> list[Text]:
    """Return the lines about a host, each at most ``width`` cells wide."""
    count = max(1, (width + _BETWEEN) // (_COLUMN + _BETWEEN))
    inner = (width + _BETWEEN) // count - _BETWEEN
    draw = _Draw(host, inner, unicode=unicode)
    blocks = [block for block in draw.blocks() if block]
    return [*_head(host, width), *_side_by_side(blocks, count, inner)]


def _head(host: HostDetail, width: int) -> Iterator[Text]:
    """Yield what is wrong, and what the host is."""
    for reason in host.reasons:
        style = SEVERITY_STYLES[reason.severity]
        yield cell(f"{MARK} {reason.severity}: {reason.text}", width, style)
    if not host.reasons:
        yield cell("nothing needs attention", width)
    if host.state is State.DOWN:
        seen = age(host.last_seen_age_seconds)
        yield cell(f"last report {seen} ago: all values are those of that report", width, "dim")
    load = " ".join(human.UNKNOWN if each is None else f"{each:.2f}" for each in
                    (host.load1, host.load5, host.load15))  # fmt: skip
    facts = (
        " ".join(filter(None, (host.system, host.release, host.machine))),
        f"up {human.span(host.uptime_seconds)}",
        f"load {load}",
        f"agent {host.agent_version or human.UNKNOWN}",
        f"from {host.address}",
        f"every {human.span(host.interval_seconds)}",
        f"lost {human.ratio(host.datagram_loss_ratio)}",
        f"clock {human.span(host.clock_offset_seconds)}",
    )
    yield from _wrapped(filter(None, facts), width)
    yield from _wrapped((f"{name}={value}" for name, value in host.labels.items()), width)


def _wrapped(parts: Iterable[str], width: int) -> Iterator[Text]:
    """Yield parts in lines, without dividing one."""
    line = ""
    for part in map(safe, parts):
        longer = f"{line}  {part}" if line else part
        if line and Text(longer).cell_len > width:
            yield cell(line, width, "dim")
            longer = part
        line = longer
    if line:
        yield cell(line, width, "dim")


def _side_by_side(blocks: Sequence[list[Text]], count: int, width: int) -> Iterator[Text]:
    """Yield the lines of blocks in columns, each block in the column that is shortest so far."""
    columns: list[list[Text]] = [[] for _ in range(count)]
    for block in blocks:
        shortest = min(columns, key=len)
        shortest.extend((Text(end=""), *block))
    for place in range(max(map(len, columns))):
        line = Text(end="", no_wrap=True)
        for number, column in enumerate(columns):
            part = column[place] if place < len(column) else Text(end="")
            if number < count - 1:
                part = part.copy()
                part.pad_right(width + _BETWEEN - part.cell_len)
            line.append_text(part)
        yield line


class _Draw:
    """Draws the blocks of a host, each a list of lines of which the first is its title."""

    def __init__(self, host: HostDetail, width: int, *, unicode: bool) -> None:
        self._host, self._width, self._unicode = host, width, unicode
        self._styles = {
            (reason.id, reason.subject): SEVERITY_STYLES[reason.severity]
            for reason in reversed(host.reasons)
        }

    def blocks(self) -> Iterator[list[Text]]:
        yield self._cpu()
        yield self._memory()
        yield self._filesystems()
        yield self._networks()
        yield self._disks()
        yield self._temperatures()
        yield self._services()
        yield self._containers()
        yield self._processes("PROCESSES BY CPU", self._host.processes_by_cpu)
        yield self._processes("PROCESSES BY MEMORY", self._host.processes_by_memory)

    def _title(self, text: str) -> Text:
        return cell(f"{text} ".ljust(self._width, "─" if self._unicode else "-"), self._width,
                    "bold cyan")  # fmt: skip

    def _bar_line(self, name: str, share: float | None, words: str, style: str) -> Text:
        """Return a name, a bar, a percentage, and words."""
        named = min(24, self._width // 3)
        worded = min(23, self._width // 3)
        drawn = max(0, self._width - named - worded - 9)
        line = cell(name, named, style)
        line.append(" ").append_text(bar(share, drawn, style, unicode=self._unicode))
        line.append_text(cell(percent(share), 6, style, right=True))
        return line.append(MARK if style else " ", style).append(" ").append_text(
            cell(words, worded)
        )  # fmt: skip

    def _table(
        self, title: str, heads: Sequence[tuple[str, int]], rows: Sequence[Sequence[str]]
    ) -> list[Text]:
        """Return a block with a name and numbers in each row; ``heads`` are of the numbers."""
        if not rows:
            return []
        named = max(8, self._width - sum(width + 1 for _, width in heads))
        first = self._title(title)
        if heads:
            line = cell("", named)
            for head, width in heads:
                line.append(" ").append_text(cell(head, width, "dim", right=True))
            block = [first, line]
        else:
            block = [first]
        for name, *numbers in rows[:_MOST_ROWS]:
            line = cell(name, named)
            for number, (_, width) in zip(numbers, heads, strict=True):
                line.append(" ").append_text(cell(number, width, right=True))
            block.append(line)
        return block + self._more(len(rows))

    def _more(self, count: int) -> list[Text]:
        left = count - _MOST_ROWS
        return [cell(f"and {left:,} more", self._width, "dim")] if left > 0 else []

    def _cpu(self) -> list[Text]:
        host = self._host
        if host.cpu_usage_ratio is None and not host.cores:
            return []
        words = f"{len(host.cores)} core{'' if len(host.cores) == 1 else 's'}"
        block = [self._title("CPU"), self._bar_line("all cores", host.cpu_usage_ratio, words, "")]
        cores = host.cores
        drawn = 8 if len(cores) <= _FEW_CORES else 0
        each = 4 + (drawn + 1 if drawn else 0) + 6 + 2
        in_row = max(1, (self._width + 2) // each)
        shown = cores[: 4 * _MOST_ROWS]
        for start in range(0, len(shown), in_row):
            line = Text(end="", no_wrap=True)
            for core in shown[start : start + in_row]:
                line.append_text(cell(core.cpu, 4, "dim", right=True))
                if drawn:
                    line.append(" ").append_text(
                        bar(core.usage_ratio, drawn, unicode=self._unicode)
                    )
                line.append_text(cell(percent(core.usage_ratio), 6, right=True)).append("  ")
            line.truncate(self._width)
            block.append(line)
        return block

    def _memory(self) -> list[Text]:
        host = self._host
        total, available = host.memory_total_bytes, host.memory_available_bytes
        if total is None:
            return []
        used = None if available is None else total - available
        block = [
            self._title("MEMORY"),
            self._bar_line(
                *("used", host.memory_used_ratio, _of(used, total)),
                self._styles.get(("memory", ""), ""),
            ),
        ]
        if host.swap_total_bytes:
            swap = host.swap_used_bytes
            share = None if swap is None else swap / host.swap_total_bytes
            words, style = _of(swap, host.swap_total_bytes), self._styles.get(("swap", ""), "")
            block.append(self._bar_line("swap", share, words, style))
        return block

    def _filesystems(self) -> list[Text]:
        found = sorted(self._host.filesystems, key=lambda each: -(each.used_ratio or 0))
        if not found:
            return []
        block = [self._title("FILESYSTEMS")]
        for each in found[:_MOST_ROWS]:
            words = _of(each.used_bytes, each.size_bytes)
            if each.readonly:
                words = "read-only"
            style = self._styles.get(("disk", each.mountpoint), "")
            block.append(self._bar_line(each.mountpoint, each.used_ratio, words, style))
        return block + self._more(len(found))

    def _networks(self) -> list[Text]:
        found = sorted(
            self._host.networks,
            key=lambda each: (
                -((each.receive_bytes_per_second or 0) + (each.transmit_bytes_per_second or 0)),
                numeric(each.device),
            ),
        )
        return self._table(
            "NETWORKS",
            (("receive", 10), ("transmit", 10), ("drops/s", 8)),
            [
                (
                    each.device,
                    human.speed(each.receive_bytes_per_second),
                    human.speed(each.transmit_bytes_per_second),
                    _sum(
                        each.receive_lost_packets_per_second, each.transmit_lost_packets_per_second
                    ),
                )
                for each in found
            ],
        )

    def _disks(self) -> list[Text]:
        found = sorted(
            self._host.disks,
            key=lambda each: (
                -((each.read_bytes_per_second or 0) + (each.write_bytes_per_second or 0)),
                numeric(each.device),
            ),
        )
        return self._table(
            "DISKS",
            (("read", 10), ("write", 10)),
            [
                (
                    each.device,
                    human.speed(each.read_bytes_per_second),
                    human.speed(each.write_bytes_per_second),
                )
                for each in found
            ],
        )

    def _temperatures(self) -> list[Text]:
        found = sorted(
            (each for each in self._host.temperatures if each.celsius is not None),
            key=lambda each: -(each.celsius or 0.0),
        )
        if not found:
            return []
        block = [self._title("TEMPERATURES")]
        for each in found[:_MOST_ROWS]:
            subject = f"{each.chip} {each.sensor}"
            style = self._styles.get(("temperature", subject), "")
            words = f"{each.celsius:.0f} °C{MARK if style else ' '}"
            limit = each.critical_celsius
            bound = f"critical {limit:.0f} °C" if limit else ""
            line = cell(subject, max(8, self._width - 26), style)
            line.append_text(cell(words, 9, style, right=True))
            block.append(line.append_text(cell(bound, 17, "dim", right=True)))
        return block + self._more(len(found))

    def _services(self) -> list[Text]:
        services = self._host.services
        if services is None:
            return []
        counts = "  ".join(
            f"{each.count:.0f} {each.state}" for each in services.units if each.count
        )
        style = SEVERITY_STYLES[Severity.WARNING]
        failed = services.failed
        return [
            self._title("SERVICES"),
            cell(counts, self._width),
            *(cell(f"{MARK} {name} failed", self._width, style) for name in failed[:_MOST_ROWS]),
            *self._more(len(failed)),
        ]

    def _containers(self) -> list[Text]:
        found = sorted(self._host.containers, key=lambda each: -(each.cpu_usage_cores or 0))
        return self._table(
            "CONTAINERS AND SERVICES",
            (("runtime", 10), ("cores", 7), ("memory", 9)),
            [
                (
                    each.name or each.id,
                    each.runtime or human.UNKNOWN,
                    human.UNKNOWN
                    if each.cpu_usage_cores is None
                    else f"{each.cpu_usage_cores:.2f}",
                    human.size(each.memory_working_set_bytes),
                )
                for each in found
            ],
        )

    def _processes(self, title: str, found: Sequence[Process]) -> list[Text]:
        return self._table(
            title,
            (("pid", 8), ("user", 9), ("cpu", 6), ("memory", 9)),
            [
                (
                    each.command or each.name,
                    str(each.pid),
                    each.user,
                    percent(each.cpu_usage_ratio),
                    human.size(each.resident_memory_bytes),
                )
                for each in found
            ],
        )


def title(host: HostDetail) -> Text:
    """Return the name of a host, its severity, and its state."""
    found = Text(safe(host.name), style="bold", end="", no_wrap=True, overflow="ellipsis")
    found.append("  ").append(host.severity, SEVERITY_STYLES[host.severity])
    found.append("  ").append(host.state, STATE_STYLES[host.state])
    return found.append(f"  seen {age(host.last_seen_age_seconds)} ago", "not bold")


def _of(used: float | None, total: float | None) -> str:
    return f"{human.size(used)} of {human.size(total)}"


def _sum(*values: float | None) -> str:
    known = [value for value in values if value is not None]
    return human.number(sum(known)) if known else human.UNKNOWN
