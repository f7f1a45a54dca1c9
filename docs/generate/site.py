"""Hooks of MkDocs: the site has what documents link to outside of docs/, and no link leaves it.

A file of the repository that a page links to is part of the site, below ``repository/``: documents
as pages, short texts as pages with a code block, folders as lists of their files, and all else as
it is.
"""

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

#: Where the site has files of the repository that are not in docs/.
OUTSIDE = "repository"

_LINK = re.compile(
    r"(?P<text>\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\])\((?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)"
)
_ITEM = re.compile(r" *(?:[-*]|\d+\.) +")
_FENCE = re.compile(r"^( *```.*?^ *```\n)", re.MULTILINE | re.DOTALL)
_MOST_SHOWN = 2**16  # bytes of a text that is shown as a page
_SHOWN = {
    ".py": "python",
    ".service": "ini",
    ".sh": "sh",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to, and what that links to."""
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    seen = set(waiting)
    for source in waiting:  # which grows
        for target in _targets(source):
            if target not in seen and (ROOT / target).exists() and _is_outside(target):
                seen.add(target)
                for file in _files(target, config):
                    files.append(file)
                if target.endswith(".md"):
                    waiting.append(target)
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Let links to files of the repository lead to where the site has them."""
    uri = page.file.src_uri
    source = uri.removeprefix(f"{OUTSIDE}/") if uri.startswith(OUTSIDE) else f"docs/{uri}"
    if not source.endswith(".md") or not (ROOT / source).is_file():
        return markdown  # it is made, with links of the site

    def link(match: re.Match[str]) -> str:
        target = _target(source, match["path"])
        if target is None:
            return match[0]
        path = posixpath.relpath(_uri(target), posixpath.dirname(uri))
        return f"{match['text']}({path}{match['anchor'] or ''})"

    parts = _FENCE.split(markdown)
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    return indented("".join(parts))


def indented(markdown: str) -> str:
    """Return a text whose lists are indented by four spaces, as Python-Markdown wants it.

    Other Markdown, and so our documents, indents what belongs to an item as far as its text.
    """
    columns: list[int] = []  # where the texts of the items begin that the line is in
    fence: int | None = None  # the column of a block of code that has begun
    lines = []
    for line in markdown.split("\n"):
        column = len(line) - len(line.lstrip())
        if not line.strip():
            lines.append("")
            continue
        if fence is None:
            while columns and column < columns[-1]:
                columns.pop()
        inside = columns[-1] if columns else 0
        lines.append(" " * (4 * len(columns) + max(0, column - inside)) + line.lstrip())
        if line.lstrip().startswith("```"):
            fence = column if fence is None else None
        elif fence is None and (item := _ITEM.match(line)):
            columns.append(len(item[0]))
    return "\n".join(lines)


def _targets(source: str) -> Iterator[str]:
    """Yield the paths in the repository that a document links to."""
    text = _FENCE.sub("", (ROOT / source).read_text("utf-8"))
    for match in _LINK.finditer(text):
        target = _target(source, match["path"])
        if target is not None:
            yield target


def _target(source: str, link: str) -> str | None:
    """Return the path in the repository of a link in a document, None for one to elsewhere."""
    if "://" in link or link.startswith(("mailto:", "/")):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _is_outside(path: str) -> bool:
    """Return whether a path is of no page or file that MkDocs takes from docs/ by itself."""
    return not path.startswith("docs/") or path.startswith(("docs/generate", "docs/examples"))


def _uri(path: str) -> str:
    """Return where the site has a path of the repository."""
    if not _is_outside(path):
        return path.removeprefix("docs/")
    if (ROOT / path).is_dir():
        return f"{OUTSIDE}/{path}/index.md"
    return f"{OUTSIDE}/{path}.md" if _is_shown(path) else f"{OUTSIDE}/{path}"


def _is_shown(path: str) -> bool:
    """Return whether a file has a page with its text."""
    suffix = os.path.splitext(path)[1]  # noqa: PTH122 - a path of the site
    return suffix in _SHOWN and (ROOT / path).stat().st_size <= _MOST_SHOWN


def _files(path: str, config: MkDocsConfig) -> Iterator[File]:
    """Yield the files of the site for a path of the repository."""
    if (ROOT / path).is_dir():
        below = sorted(
            each.relative_to(ROOT).as_posix()
            for each in (ROOT / path).rglob("*")
            if each.is_file() and "__pycache__" not in each.parts
        )
        links = [
            f"- [{each}]({posixpath.relpath(_uri(each), f'{OUTSIDE}/{path}')})" for each in below
        ]
        yield _made(path, "\n".join(links), config)
        for each in below:
            yield from _files(each, config)
    elif _is_shown(path):
        language = _SHOWN[os.path.splitext(path)[1]]  # noqa: PTH122
        text = (ROOT / path).read_text("utf-8")
        yield _made(path, f"````{language}\n{text}````", config)
    else:
        yield File.generated(
            config,
            _uri(path),
            abs_src_path=str(ROOT / path),
            inclusion=InclusionLevel.NOT_IN_NAV,
        )


def _made(path: str, text: str, config: MkDocsConfig) -> File:
    """Return a page with the path as its title."""
    content = f"# {path}\n\n{text}\n"
    return File.generated(config, _uri(path), content=content, inclusion=InclusionLevel.NOT_IN_NAV)
