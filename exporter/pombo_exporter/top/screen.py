"""The table of hosts on a terminal: asked of the API again and again, and moved by keys."""

import asyncio
import os
import re
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from typing import Any

import aiohttp
import msgspec
from pombo_cli import human
from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.top.http_config import HttpConfig, read_http_config
from pombo_exporter.top.options import TopOptions
from pombo_exporter.top.table import (
    ATTENTION,
    COLUMN_OF,
    COLUMNS,
    Column,
    SortKey,
    cells,
    is_critical,
    rows,
)
from pombo_exporter.views.schema import HostList, HostSummary
from pombo_exporter.web.paths import API
from pombo_exporter.web.toolkit.errors import WebConfigError

_PATIENCE = aiohttp.ClientTimeout(total=10)
_LINES_AROUND = 4  # title, head of the table, message, keys
_WIDEST = 40  # cells of a column on the screen; the longest IPv6 address has 39
_GAP = 2  # cells between columns

_LEAST = 16  # cells that are worth to show of the reasons

_STATE_STYLES = {State.LIVE: "", State.LATE: "yellow", State.DOWN: "bold red"}
_STYLES = {Severity.OK: "", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}

#: The exit codes of ``--once``, besides 0.
_CRITICAL, _FAILED = 1, 2

#: Which key sorts by what.
SORT_KEYS = {
    "t": SortKey.TROUBLE,
    "n": SortKey.NAME,
    "c": SortKey.CPU,
    "m": SortKey.MEMORY,
    "d": SortKey.DISK,
    "w": SortKey.NETWORK,
    "l": SortKey.LOST,
    "s": SortKey.SEEN,
}

_HELP = (
    "q quit  / filter  sort: t trouble  n name  c cpu  m memory  d disk  w network  l lost  s seen"
)

_UP, _DOWN = ("k", "\x1b[A", "\x1bOA"), ("j", "\x1b[B", "\x1bOB")
_PAGE_UP, _PAGE_DOWN = ("\x1b[5~",), ("\x1b[6~", " ")

#: A key in what the terminal sends: keys typed fast come in one piece, an arrow as three letters.
_KEY = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)


class UnreachableError(Exception):
    """The exporter did not answer, or not as an exporter does; ``str()`` is the reason."""


def show(options: TopOptions) -> int:
    """Show the table until the user quits, or once; return the exit code.

    With ``--once`` it is 1 if a host that is shown is critical; 2 if the exporter cannot be asked.
    """
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
    except (UnreachableError, WebConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED
    return 0


def plain(hosts: list[HostSummary]) -> str:
    """Return the table as text, a line a host, as wide as it takes."""
    table = _table(hosts)
    console = Console(file=StringIO(), width=10_000, color_system=None, legacy_windows=False)
    width = Measurement.get(console, console.options, table).maximum
    with console.capture() as captured:
        console.print(table, width=width, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


async def _once(options: TopOptions, config: HttpConfig) -> int:
    async with _session(config) as session:
        hosts = await fetch(session, options.url, config)
    shown = rows(hosts, options.sort, options.filter)
    sys.stdout.write(plain(shown))
    return _CRITICAL if is_critical(shown) else 0


def _session(config: HttpConfig) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=config.context) if config.context else None
    return aiohttp.ClientSession(timeout=_PATIENCE, headers=config.headers, connector=connector)


async def fetch(session: aiohttp.ClientSession, url: str, config: HttpConfig) -> list[HostSummary]:
    """Ask the exporter at ``url`` for its hosts.

    Raises:
        UnreachableError: when it does not answer, or is no exporter.
    """
    try:
        async with session.get(
            f"{url}{API}/hosts",
            server_hostname=config.server_name,
            allow_redirects=config.follow_redirects,
        ) as response:
            if response.status == 401:
                remedy = "give a user and the password with --http.config.file"
                raise UnreachableError(f"{url} answers 401: {remedy}")
            if response.status != 200:
                raise UnreachableError(f"{url} answers {response.status}: is it an exporter?")
            return msgspec.json.decode(await response.read(), type=HostList).hosts
    except TimeoutError:
        raise UnreachableError(f"{url} does not answer within {_PATIENCE.total:g} s") from None
    except aiohttp.ClientSSLError as error:
        reason = human.printable(str(error.os_error))
        remedy = "give the CA of its certificate with --http.config.file"
        raise UnreachableError(f"cannot reach {url}: {reason}: {remedy}") from None
    except aiohttp.ClientConnectorError as error:
        number = error.os_error.errno or 0  # below 0 when the name is not known
        why = os.strerror(number) if number > 0 else error.os_error.strerror or error
        remedy = "start an exporter there, or give the URL of another one"
        raise UnreachableError(
            f"cannot reach {url}: {human.printable(str(why))}: {remedy}"
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        raise UnreachableError(f"cannot reach {url}: {human.printable(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreachableError(f"{url} answers something else: is it an exporter?") from None


class Top:
    """What the viewer sees, and what each key does to it."""

    def __init__(self, options: TopOptions, config: HttpConfig) -> None:
        self._config = config
        self._url, self._interval = options.url, options.interval
        self._sort, self._filter = options.sort, options.filter
        self._typing = False  # a filter
        self._first = 0  # the host in the first line
        self._hosts: list[HostSummary] = []
        self._message = "asking …"
        self._live = Live(console=Console(), screen=True, auto_refresh=False)
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Refresh the table and read keys until the user quits."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGWINCH, self._draw)
        with _keys_at_once(sys.stdin.fileno()) as before, self._live:
            loop.add_signal_handler(signal.SIGTSTP, self._pause, before)
            loop.add_reader(sys.stdin.fileno(), self._read)
            asking = asyncio.create_task(self._ask())
            self._draw()
            await self._stop.wait()
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            loop.remove_reader(sys.stdin.fileno())

    def _pause(self, before: list[Any]) -> None:
        """Give the terminal back as it was ``before``, stop, and take it again when continued."""
        self._live.stop()
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
        os.kill(os.getpid(), signal.SIGSTOP)
        tty.setcbreak(sys.stdin.fileno())
        self._live.start()
        self._draw()

    async def _ask(self) -> None:
        async with _session(self._config) as session:
            while True:
                try:
                    self._hosts = await fetch(session, self._url, self._config)
                    self._message = ""
                except UnreachableError as error:
                    self._message = f"as last seen, and asking again: {error}"
                self._draw()
                await asyncio.sleep(self._interval)

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
        elif key == "/":
            self._typing, self._filter, self._first = True, "", 0
        elif key in SORT_KEYS:
            self._sort, self._first = SORT_KEYS[key], 0
        else:
            page = self._page()
            moves = ((_UP, -1), (_DOWN, 1), (_PAGE_UP, -page), (_PAGE_DOWN, page))
            self._first += next((step for keys, step in moves if key in keys), 0)

    def _type(self, key: str) -> None:
        if key in ("\r", "\n"):
            self._typing = False
        elif key in ("\x1b", "\x03"):
            self._typing, self._filter = False, ""
        elif key in ("\x7f", "\b"):
            self._filter = self._filter[:-1]
        elif key.isprintable():
            self._filter += key

    def _page(self) -> int:
        return max(1, self._live.console.height - _LINES_AROUND)

    def _draw(self) -> None:
        shown = rows(self._hosts, self._sort, self._filter)
        page, width = self._page(), self._live.console.width
        self._first = max(0, min(self._first, len(shown) - page))
        title = f"{human.printable(self._url)}: {len(shown)} of {len(self._hosts)} hosts"
        if len(shown) > page:
            title += f", from {self._first + 1}"
        title += f", by {self._sort}"
        if self._filter or self._typing:
            title += f", filter: {human.printable(self._filter)}{'_' if self._typing else ''}"
        self._live.update(
            Group(
                Text(title, style="bold", no_wrap=True, overflow="ellipsis"),
                Text(self._message, style="bold red", no_wrap=True, overflow="ellipsis"),
                _table(shown[self._first : self._first + page], width),
                Text(_HELP, style="dim", no_wrap=True, overflow="ellipsis"),
            ),
            refresh=True,
        )


def _table(hosts: list[HostSummary], width: int | None = None) -> Table:
    """Return the table; texts are never read as Rich's markup.

    On a screen of ``width`` cells long texts are cut, and the last columns that do not fit are
    left out, so that what is shown can be read.
    """
    lines = [cells(host) for host in hosts]
    shown, cut = (COLUMNS, _WIDEST) if width is None else _fitting(lines, width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for column in shown:
        justify: JustifyMethod = "right" if column.numbers else "left"
        widest = None if width is None else cut if column.title == ATTENTION else _WIDEST
        table.add_column(
            column.title, justify=justify, no_wrap=True, overflow="ellipsis", max_width=widest
        )
    for host, line in zip(hosts, lines, strict=True):
        styles = _styles(host)
        texts = zip(shown, line, strict=False)
        table.add_row(*(Text(text, style=styles.get(column.title, "")) for column, text in texts))
    return table


def _styles(host: HostSummary) -> dict[str, str]:
    """Return the style of each cell that has one, by the title of its column."""
    styles = {"HOST": _STYLES[host.severity], "SEVERITY": _STYLES[host.severity]}
    for reason in reversed(host.reasons):  # the most urgent is the first, and counts
        if reason.id in COLUMN_OF:
            styles[COLUMN_OF[reason.id]] = _STYLES[reason.severity]
    return styles | {"STATE": _STATE_STYLES[host.state], ATTENTION: _STYLES[host.severity]}


def _fitting(lines: list[list[str]], width: int) -> tuple[Sequence[Column], int]:
    """Return the first columns, as many as fit into ``width`` cells, and the width of reasons."""
    used = -_GAP
    cut = _WIDEST
    for number, column in enumerate(COLUMNS):
        longest = max(map(cell_len, (column.title, *(line[number] for line in lines))))
        needed = min(longest, _WIDEST)
        left = width - used - _GAP
        if column.title == ATTENTION and needed > left >= _LEAST:
            needed = cut = left
        used += _GAP + needed
        if used > width:
            return COLUMNS[: max(1, number)], cut
    return COLUMNS, cut


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
