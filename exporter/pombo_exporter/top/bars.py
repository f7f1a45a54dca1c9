"""Bars of shares, and texts that are exactly so many cells wide, whatever hosts send."""

from typing import Final

from pombo_cli import human
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

#: How full the last cell of a bar is, in eighths.
_EIGHTHS: Final = (" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_FULL: Final = "█"

_TRACK: Final = Style(bgcolor="grey23")


def safe(text: str) -> str:
    """Return a text of a host without what could control the terminal or its layout.

    Letters without a width of their own, such as accents, stay where they follow another one.
    """
    shown: list[str] = []
    marks = 0
    for letter in human.printable(text):
        marks = 0 if cell_len(letter) else marks + 1
        if marks <= _MOST_MARKS:
            shown.append(letter)
    return "".join(shown)


_MOST_MARKS: Final = 2  # on one letter


def cell(text: str, width: int, style: str = "", *, right: bool = False) -> Text:
    """Return a text that is ``width`` cells wide: cut with an ellipsis, or padded."""
    found = Text(safe(text), style=style, no_wrap=True, end="")
    found.truncate(width, overflow="ellipsis")
    space = width - found.cell_len
    if right:
        found.pad_left(space)
    else:
        found.pad_right(space)
    return found


def bar(share: float | None, width: int, style: str = "", *, unicode: bool = True) -> Text:
    """Return a bar of ``width`` cells; an unknown share has none."""
    if share is None:
        return Text(" " * width, end="")
    known = min(max(share, 0.0), 1.0)
    if not unicode:
        inner = max(0, width - 2)
        full = "|" * round(inner * known)
        return Text(f"[{full.ljust(inner)}]"[:width], style=style, end="")
    eighths = round(8 * width * known)
    whole, rest = divmod(eighths, 8)
    drawn = _FULL * whole + (_EIGHTHS[rest] if rest else "")
    found = Text(drawn.ljust(width), style=style, end="")
    found.stylize(_TRACK)
    return found


def percent(share: float | None) -> str:
    """Return a share in whole percents, in at most five cells: ``97 %``."""
    return human.UNKNOWN if share is None else f"{min(100 * share, 9999):.0f} %"
