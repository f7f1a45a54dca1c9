"""The terminal of ``top``: the exporter is asked again and again, and keys move what is shown."""

import asyncio
import os
import re
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO, TextIOWrapper
from typing import Any, Final

from pombo_cli import human
from rich.console import Console, Group
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pombo_exporter.hosts.severity import Severity
from pombo_exporter.top import detail_view, fleet_view
from pombo_exporter.top.bars import cell, safe
from pombo_exporter.top.client import Client, UnknownHostError, UnreachableError
from pombo_exporter.top.http_config import HttpConfig, read_http_config
from pombo_exporter.top.options import TopOptions
from pombo_exporter.top.table import COLUMNS, SortKey, attention, cells, is_critical, rows
from pombo_exporter.views.filter import FilterError
from pombo_exporter.views.schema import ExporterStatus, HostDetail, HostSummary
from pombo_exporter.web.toolkit.errors import WebConfigError

_LINES_AROUND: Final = 6  # title, two of totals, head of the table, what is selected, keys
_LINES_AROUND_A_HOST: Final = 3  # title, message, keys
_GAP: Final = 2  # cells between columns of the plain table

#: The exit codes of ``--once``, besides 0.
_CRITICAL, _FAILED = 1, 2

#: Which key sorts by what.
SORT_KEYS: Final = {
    "t": SortKey.TROUBLE,
    "n": SortKey.NAME,
    "c": SortKey.CPU,
    "m": SortKey.MEMORY,
    "d": SortKey.DISK,
    "w": SortKey.NETWORK,
    "l": SortKey.LOST,
    "s": SortKey.SEEN,
}

#: The column with the arrow.
_SORTED_BY: Final[dict[SortKey, str]] = {
    SortKey.TROUBLE: "SEVERITY",
    SortKey.NAME: "HOST",
    **{key: key.upper() for key in SortKey if key not in (SortKey.TROUBLE, SortKey.NAME)},
}

#: The keys of the last line, the most important first, since a narrow screen cuts it.
_KEYS_OF_FLEET: Final = (
    "q quit  ? help  Enter open  / filter  a attention  r reverse  sort: t n c m d w l s"
)
_KEYS_OF_HOST: Final = "Esc back  arrows scroll  ? help  q quit"

_HELP: Final = """\
KEYS
  arrows, j, k         select a host         Enter   open it, Esc comes back
  PageUp, PageDown     a screen up or down   Home, End, g, G   first, last
  /                    filter, Enter keeps it, Esc clears it
  a                    only hosts that need attention, or all
  r                    reverse the order     q, Ctrl-C   quit

ORDER
  t trouble  n name  c cpu  m memory  d disk  w network  l lost  s seen

FILTER: all words must match
  web                  a part of a name or of a label
  site=porto           a label with this value
  state:down           also severity:warning, reason:disk, name:web, agent:0.1
  cpu>80               also memory, disk, lost: percents
  network>1MiB         also receive, transmit; seen>30s, uptime<1h, clock
  -word                hosts that do not match the word
  "two words"          a text with spaces

! marks a value that is over a threshold. A narrow screen leaves out columns."""

_UP, _DOWN = ("k", "\x1b[A", "\x1bOA"), ("j", "\x1b[B", "\x1bOB")
_PAGE_UP, _PAGE_DOWN = ("\x1b[5~",), ("\x1b[6~", " ")
_HOME = ("g", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~")
_END = ("G", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~")
_ENTER, _ESCAPE = ("\r", "\n"), ("\x1b",)
_BACK = (*_ESCAPE, *_ENTER, "\x7f", "\b", "\x1b[D", "\x1bOD")
_FAR: Final = 10**9  # more lines than there are

#: A key in what the terminal sends: keys typed fast come in one piece, an arrow as three letters.
_KEY = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)

#: A letter that the terminal draws wider than it should be is cut, and does not begin a new line.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


def show(options: TopOptions) -> int:
    """Show the table until the user quits, or once; return the exit code.

    With ``--once`` it is 1 if a host that is shown is critical; 2 if the exporter cannot be asked.
    """
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal that is not UTF-8
        sys.stdout.reconfigure(errors="replace")
    try:
        file = options.http_config_file
        config = read_http_config(file) if file else HttpConfig()
        if options.once:
            return asyncio.run(_once(options, config))
        if sys.stdin.isatty() and sys.stdout.isatty():
            asyncio.run(Top(options, config).run())
        else:
            sys.stderr.write("this is not a terminal: use --once\n")
            return _FAILED
    except (UnreachableError, WebConfigError, FilterError) as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED
    return 0


def plain(hosts: list[HostSummary]) -> str:
    """Return the table as text, a line a host, as wide as it takes."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for column in COLUMNS:
        table.add_column(column.title, justify="right" if column.numbers else "left", no_wrap=True)
    for host in hosts:
        table.add_row(*map(Text, cells(host)))  # texts are never read as Rich's markup
    console = Console(file=StringIO(), width=10_000, color_system=None, legacy_windows=False)
    width = Measurement.get(console, console.options, table).maximum
    with console.capture() as captured:
        console.print(table, width=width, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


async def _once(options: TopOptions, config: HttpConfig) -> int:
    async with Client(options.url, config) as client:
        hosts = await client.hosts()
    shown = rows(hosts, options.sort, options.filter)
    sys.stdout.write(plain(shown))
    return _CRITICAL if is_critical(shown) else 0


class Top:
    """What the viewer sees, and what each key does to it."""

    def __init__(self, options: TopOptions, config: HttpConfig) -> None:
        self._config = config
        self._url, self._interval = options.url, options.interval
        self._sort, self._filter = options.sort, options.filter
        self._reverse = self._only_attention = False
        self._typing = False  # a filter
        self._help = False
        self._first = 0  # the host in the first line
        self._selected: str | None = None  # a host's name; None is whichever is first
        self._hosts: list[HostSummary] = []
        self._shown: list[HostSummary] = []
        self._status: ExporterStatus | None = None
        self._opened: str | None = None  # the host of which all is shown
        self._detail: HostDetail | None = None
        self._scrolled = 0  # lines of it
        self._message = "asking …"
        self._live = Live(console=Console(), screen=True, auto_refresh=False)
        console = self._live.console
        self._unicode = console.encoding.startswith("utf")
        #: A terminal without colours shows the selected line reversed.
        has_colours = console.color_system is not None and not console.no_color
        self._cursor = "on grey30" if has_colours else "reverse"
        self._stop, self._wake = asyncio.Event(), asyncio.Event()
        self._arrange()

    async def run(self) -> None:
        """Refresh the screen and read keys until the user quits."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGWINCH, self._draw)
        with _keys_at_once(sys.stdin.fileno()) as before, self._on_screen():
            loop.add_signal_handler(signal.SIGTSTP, self._pause, before)
            loop.add_reader(sys.stdin.fileno(), self._read)
            asking = asyncio.create_task(self._ask())
            self._draw()
            await self._stop.wait()
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            loop.remove_reader(sys.stdin.fileno())

    @contextmanager
    def _on_screen(self) -> Iterator[None]:
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        self._live.start()
        self._live.console.file.write(_NO_WRAP)

    def _leave(self) -> None:
        self._live.console.file.write(_WRAP)
        self._live.stop()

    def _pause(self, before: list[Any]) -> None:
        """Give the terminal back as it was ``before``, stop, and take it again when continued."""
        self._leave()
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
        os.kill(os.getpid(), signal.SIGSTOP)
        tty.setcbreak(sys.stdin.fileno())
        self._enter()
        self._draw()

    async def _ask(self) -> None:
        async with Client(self._url, self._config) as client:
            while True:
                try:
                    await self._ask_once(client)
                except UnknownHostError as error:
                    self._message = str(error)
                except UnreachableError as error:
                    self._message = f"as last seen, and asking again: {error}"
                self._draw()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._wake.wait()
                self._wake.clear()

    async def _ask_once(self, client: Client) -> None:
        """Ask for what is shown: one host, or all of them."""
        if name := self._opened:
            found = await client.host(name)
            if self._opened == name:  # and not another one, or none, meanwhile
                self._detail = found
        else:
            self._hosts, self._status = await client.hosts(), await client.status()
            self._arrange()
        self._message = ""

    def _read(self) -> None:
        typed = os.read(sys.stdin.fileno(), 1024).decode(errors="ignore")
        if not typed:  # the terminal is gone
            self._stop.set()
        for key in _KEY.findall(typed):
            self.press(key)
        self._draw()

    def press(self, key: str) -> None:
        """Handle one key."""
        if self._typing:
            self._type(key)
        elif key in ("q", "Q", "\x03"):
            self._stop.set()
        elif self._help:
            self._help = False
        elif key in ("?", "h"):
            self._help = True
        elif self._opened is not None:
            self._press_in_detail(key)
        else:
            self._press_in_fleet(key)

    def _press_in_fleet(self, key: str) -> None:
        if key == "/":
            self._typing, self._filter = True, ""
        elif key in _ESCAPE:
            self._filter = ""
        elif key == "a":
            self._only_attention = not self._only_attention
        elif key == "r":
            self._reverse = not self._reverse
        elif key in SORT_KEYS:
            self._sort, self._reverse, self._selected = SORT_KEYS[key], False, None
        elif key in _ENTER:
            if self._shown:
                self._open(self._shown[self._place()].name)
            return
        else:
            self._move(_step(key, self._page()))
            return
        self._arrange()

    def _press_in_detail(self, key: str) -> None:
        if key in _BACK:
            self._opened = self._detail = None
            self._message = ""
            self._wake.set()
        else:
            page = self._live.console.height - _LINES_AROUND_A_HOST
            self._scrolled = max(0, self._scrolled + _step(key, page))

    def _type(self, key: str) -> None:
        if key in _ENTER:
            self._typing = False
        elif key in (*_ESCAPE, "\x03"):
            self._typing, self._filter = False, ""
        elif key in ("\x7f", "\b"):
            self._filter = self._filter[:-1]
        elif key.isprintable() and len(self._filter) < _LONGEST_FILTER:
            self._filter += key
        self._arrange()

    def _open(self, name: str) -> None:
        self._opened, self._selected, self._detail, self._scrolled = name, name, None, 0
        self._wake.set()

    def _arrange(self) -> None:
        """Filter and sort the hosts. While a filter is wrong, the hosts stay that it had before."""
        self._wrong = ""
        try:
            found = rows(self._hosts, self._sort, self._filter, reverse=self._reverse)
        except FilterError as error:
            self._wrong = str(error)
            return
        if self._only_attention:
            found = [host for host in found if host.severity is not Severity.OK]
        self._shown = found

    def _place(self) -> int:
        """Return the place of the selected host: of the first one, where it is not shown."""
        if self._selected is None:
            return 0
        names = (place for place, host in enumerate(self._shown) if host.name == self._selected)
        return next(names, 0)

    def _move(self, step: int) -> None:
        place = max(0, min(self._place() + step, len(self._shown) - 1))
        self._selected = self._shown[place].name if place else None

    def _page(self) -> int:
        return max(1, self._live.console.height - _LINES_AROUND)

    def _draw(self) -> None:
        if self._help:
            lines = [Text(line) for line in _HELP.splitlines()]
        elif self._opened is not None:
            lines = self._draw_detail(self._opened)
        else:
            lines = self._draw_fleet()
        for line in lines:
            line.no_wrap, line.overflow, line.end = True, "crop", "\n"
            line.truncate(self._live.console.width)
        self._live.update(Group(*lines), refresh=True)

    def _draw_fleet(self) -> list[Text]:
        page, width = self._page(), self._live.console.width
        place = self._place()
        self._first = min(max(self._first, place - page + 1), place)
        self._first = max(0, min(self._first, len(self._shown) - page))
        seen = self._shown[self._first : self._first + page]
        columns = fleet_view.fitting(seen, width)
        table = [fleet_view.row(host, columns, unicode=self._unicode) for host in seen]
        if table:
            table[place - self._first].stylize(self._cursor)
        return [
            self._title(),
            *fleet_view.summary(self._status, self._hosts, width, unicode=self._unicode),
            fleet_view.header(columns, _SORTED_BY[self._sort], up=self._reverse),
            *table,
            *(Text() for _ in range(page - len(table))),
            self._line_of_selected(place, width),
            self._last_line(width),
        ]

    def _title(self) -> Text:
        found = Text(f"{human.printable(self._url)}: ", style="bold")
        found.append(f"{len(self._shown)} of {len(self._hosts)} hosts, by {self._sort}")
        if self._reverse:
            found.append(", reversed")
        if self._only_attention:
            found.append(", only those that need attention")
        if self._filter:
            found.append(f", filter: {safe(self._filter)}")
        return found

    def _last_line(self, width: int) -> Text:
        """Return the keys, or the filter that is typed, of which the end is always visible."""
        if not self._typing:
            return Text(_KEYS_OF_FLEET, style="dim")
        typed = f"filter: {safe(self._filter)}_"
        hint = "  Enter keep  Esc clear"
        while fleet_view.cell_width(typed) > width:
            typed = typed[1:]
        return Text.assemble(typed, (hint, "dim"))

    def _line_of_selected(self, place: int, width: int) -> Text:
        if self._wrong or self._message:
            return cell(self._wrong or self._message, width, "bold red")
        if not self._shown:
            empty = "no host matches" if self._hosts else "no host has reported yet: start an agent"
            return cell(empty, width)
        host = self._shown[place]
        style = fleet_view.SEVERITY_STYLES[host.severity]
        words = attention(host) if host.reasons else "nothing needs attention"
        return cell(f"{host.name}: {words}", width, style)

    def _draw_detail(self, name: str) -> list[Text]:
        width, height = self._live.console.size
        page = max(1, height - _LINES_AROUND_A_HOST)
        if self._detail is None:
            title, lines = Text(safe(name), style="bold"), []
        else:
            host = self._detail
            title = detail_view.title(host)
            lines = detail_view.lines(host, width, unicode=self._unicode)
        self._scrolled = max(0, min(self._scrolled, len(lines) - page))
        shown = lines[self._scrolled : self._scrolled + page]
        message = self._message or ("asking …" if self._detail is None else "")
        left = len(lines) - self._scrolled - len(shown)
        more = f"{left} more lines below" if left else ""
        return [
            title,
            *shown,
            *(Text() for _ in range(page - len(shown))),
            cell(message, width, "bold red") if message else cell(more, width, "dim"),
            Text(_KEYS_OF_HOST, style="dim"),
        ]


_LONGEST_FILTER: Final = 512  # letters


def _step(key: str, page: int) -> int:
    """Return how many lines a key moves down, 0 if it is no such key."""
    moves = (
        *((_UP, -1), (_DOWN, 1), (_PAGE_UP, -page), (_PAGE_DOWN, page)),
        *((_HOME, -_FAR), (_END, _FAR)),
    )
    return next((step for keys, step in moves if key in keys), 0)


@contextmanager
def _keys_at_once(terminal: int) -> Iterator[list[Any]]:
    """Let keys come without Enter and without an echo; Ctrl-C stays a signal.

    Yields the terminal's settings before.
    """
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield before
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
