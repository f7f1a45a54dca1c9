"""The documents for users, and their blocks of code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from support.processes import ROOT

PAGES: Final = [
    "README.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))),
]

#: The languages of blocks that a reader pastes into a shell.
SHELL: Final = ("sh", "console")

_BLOCK = re.compile(
    r"^(?: *<!-- (?P<mark>.*?) -->\n)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of code in a document, and what a comment before it says about it."""

    page: str
    line: int
    language: str
    text: str
    mark: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def reason(self) -> str:
        """Why it is not run; nothing if it is."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else ""

    @property
    def file(self) -> str:
        """The file that a reader writes the block into; or nothing."""
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else ""

    @property
    def input(self) -> str:
        """The command whose output the block reads, as a reader would paste it; or nothing."""
        return self.mark.removeprefix("run with: ") if self.mark.startswith("run with: ") else ""


def text_of(page: str) -> str:
    """Return the text of a page."""
    return Path(ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of code of a page."""
    text = text_of(page)
    for match in _BLOCK.finditer(text):
        indent = match["indent"]
        lines = (line.removeprefix(indent) for line in match["text"].splitlines(keepends=True))
        number = text.count("\n", 0, match.start()) + 1
        mark = match["mark"] or ""
        yield Block(page, number, match["language"], "".join(lines), mark)


def done_blocks(page: str) -> list[Block]:
    """Return the blocks with which a reader does something: pastes them into a shell or a file."""
    return [block for block in blocks(page) if block.language in SHELL or block.file]
