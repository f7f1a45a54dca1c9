"""Pseudo-terminals in which ``top`` runs: keys in, a screen out."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from support.pages import wait_until
from support.processes import BIN, Exporter

#: Control sequences: enter the alternate screen; leave it and show the cursor.
_ENTER, _LEAVE = "\x1b[?1049h", ("\x1b[?1049l", "\x1b[?25h")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HOME = "\x1b[H"


class Terminal:
    """A pseudo-terminal of some size, with the program in it."""

    def __init__(self, *command: str, columns: int = 160, lines: int = 24) -> None:
        self.keyboard, self._line = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self._line)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("COL", "LINES"))}
        self.process = subprocess.Popen(
            ("setsid", "--ctty", *command),  # so that Ctrl-C and a new size are signals
            stdin=self._line,
            stdout=self._line,
            stderr=self._line,
            env=environment | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        )
        self._written = b""

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as a dragged window does."""
        fcntl.ioctl(self._line, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.keyboard, keys.encode())

    @property
    def written(self) -> str:
        """All that it wrote so far."""
        while select.select([self.keyboard], [], [], 0)[0]:
            self._written += os.read(self.keyboard, 65536)
        return self._written.decode(errors="replace")

    def screen(self) -> str:
        """Return the text of the last frame that is whole."""
        frames = self.written.split(_HOME)
        return _CONTROL.sub("", frames[-1]).replace("\r", "")

    def shows(self, *texts: str, without: str | None = None) -> str:
        """Wait until the screen has these texts, and return it."""

        def has_them(screen: str) -> bool:
            return all(text in screen for text in texts) and (not without or without not in screen)

        what = f"a screen with {texts}" + (f" without {without!r}" if without else "")
        return wait_until(self.screen, has_them, what)

    def order(self) -> list[str]:
        """Return the hosts from top to bottom."""
        lines = self.screen().splitlines()
        start = next((n for n, line in enumerate(lines) if line.startswith("HOST")), len(lines))
        table = [line for line in lines[start + 1 :] if line.strip()]
        return [line.split()[0] for line in table[:-2]]  # below are the selected host and the keys

    def orders(self, *hosts: str) -> None:
        """Wait until the table has exactly these hosts, in this order."""
        wait_until(self.order, lambda seen: seen == [*hosts], f"hosts in the order {hosts}")

    def left(self) -> int:
        """Wait for the exit and return its code; the terminal has to be restored."""
        code = self.process.wait(15)
        assert self.is_as_before()
        return code

    def is_as_before(self) -> bool:
        """Return whether the program entered the alternate screen and has restored everything."""
        entered = self.written.rfind(_ENTER)
        left = all(self.written.rfind(sequence) > entered for sequence in _LEAVE)
        return entered >= 0 and left and termios.tcgetattr(self._line) == self.before

    def close(self) -> None:
        """End the program if it still runs, and close the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._line)
        os.close(self.keyboard)


@contextmanager
def top(
    exporter: Exporter | str, *flags: str, columns: int = 160, lines: int = 24
) -> Iterator[Terminal]:
    """Run ``top`` on a terminal."""
    url = exporter if isinstance(exporter, str) else f"http://{exporter.target}"
    command = [str(BIN / "pombo-exporter"), "top", url, "--interval=200ms", *flags]
    terminal = Terminal(*command, columns=columns, lines=lines)
    try:
        yield terminal
    finally:
        terminal.close()
