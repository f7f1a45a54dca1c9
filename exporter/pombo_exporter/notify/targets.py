"""The URLs that are called, which may hold secrets: only ``name`` is ever shown."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from pombo_cli.secret_file import read_secret_file

_UNSAFE: Final = re.compile(r"[\s\x00-\x20\x7f]")
_EXAMPLE: Final = "https://example.org/hook"


class TargetError(ValueError):
    """A URL, or the file with one, cannot be used; ``str()`` has no secret."""


@dataclass(frozen=True)
class Target:
    """A URL without user and password, and the header that has these, empty without them.

    ``name`` is what logs and metrics show: the file of the URL, or scheme, host and port.
    """

    name: str
    url: str = field(repr=False)
    authorization: str = field(repr=False, default="")


@dataclass(frozen=True)
class Source:
    """Where a target comes from: a flag, or the file that a flag names."""

    text: str = field(repr=False, default="")
    path: Path | None = None

    def read(self) -> Target:
        """Return the target.

        Raises:
            TargetError: when the file cannot be read, or has no URL.
        """
        if self.path is None:
            return target(self.text)
        try:
            text = read_secret_file(self.path).strip()
        except ValueError as error:
            raise TargetError(str(error)) from None
        try:
            return target(text, str(self.path))
        except TargetError as error:
            raise TargetError(f"{self.path}: {error}") from None


def target(text: str, name: str = "") -> Target:
    """Return the target of a URL; without a name, that has its scheme, host and port.

    Raises:
        TargetError: when it is no URL of HTTP.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https") or _UNSAFE.search(text):
        raise TargetError(f"it is no URL of http or https: write it as {_EXAMPLE}")
    where = f"[{host}]" if ":" in host else host
    where += f":{port}" if port else ""
    url = urlunsplit((parts.scheme, where, parts.path or "/", parts.query, ""))
    credentials = None
    if "@" in parts.netloc:
        credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return Target(name or f"{parts.scheme}://{where}", url, basic(credentials))


def basic(credentials: str | None) -> str:
    """Return a header's value for basic authentication; empty without credentials."""
    return f"Basic {b64encode(credentials.encode()).decode()}" if credentials else ""


def read_all(sources: Iterable[Source]) -> list[Target]:
    """Return all targets; those of one name get a number behind it.

    Raises:
        TargetError: when one cannot be used.
    """
    return [*_numbered(source.read() for source in sources)]


def _numbered(targets: Iterable[Target]) -> Iterator[Target]:
    counts: dict[str, int] = {}
    for each in targets:
        count = counts[each.name] = counts.get(each.name, 0) + 1
        name = each.name if count == 1 else f"{each.name} ({count})"
        yield Target(name, each.url, each.authorization)
