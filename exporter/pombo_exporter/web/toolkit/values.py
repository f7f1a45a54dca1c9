"""Values in a file of the web server: contents of other files, durations, words."""

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pombo_cli.yaml_file import Entry

from pombo_exporter.web.toolkit import tls
from pombo_exporter.web.toolkit.files import Files

_OLD_VERSIONS: Final = ("TLS10", "TLS11")

_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")
_TERM: Final = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


@dataclass(frozen=True)
class Reader:
    """Reads what is in the file itself or in a file beside it."""

    folder: Path
    files: Files

    def read(self, found: Mapping[str, Entry], key: str) -> tuple[Entry, bytes] | None:
        """Return the content of ``key``, or of the file that ``key_file`` names, and its entry.

        Raises:
            YamlError: when both are given, or the file cannot be read.
        """
        inline, named = found.get(key), found.get(f"{key}_file")
        if inline and named:
            raise named.error(f"{key} is in line {inline.line}: remove one of them")
        if inline:
            return inline, inline.scalar().encode()
        if named is None:
            return None
        path = self.folder / named.scalar()
        try:
            return named, self.files.read(path)
        except OSError as error:
            remedy = "name a file that this user may read"
            raise named.error(f"{path}: {error.strerror}: {remedy}") from None


def one_of(entry: Entry, known: Iterable[str]) -> str:
    """Return a value that is one of these words.

    Raises:
        YamlError: when it is another one.
    """
    text, words = entry.scalar(), [*known]
    if text not in words:
        *most, last = words
        choice = f"{', '.join(most)} or {last}" if most else last
        raise entry.error(f"{text!r} is unknown: write {choice}")
    return text


def version(entry: Entry) -> ssl.TLSVersion:
    """Return a version of TLS.

    Raises:
        YamlError: when it is unknown, or too old for OpenSSL.
    """
    name = entry.scalar()
    if name in _OLD_VERSIONS:
        raise entry.error(f"{name} is broken, and OpenSSL does not offer it: write TLS12 or TLS13")
    return tls.VERSIONS[one_of(entry, tls.VERSIONS)]


def duration(entry: Entry) -> float:
    """Return the seconds of a duration in Go's form.

    Raises:
        YamlError: when it is none.
    """
    text = entry.scalar()
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise entry.error(
            f"{text!r} is not a duration: write it as 500ms, 1s or 1m30s, or 0 for none"
        )
    return sum(float(number) * _UNITS[unit] for number, unit in _TERM.findall(text))


def count(entry: Entry) -> int:
    """Return a whole number from 0.

    Raises:
        YamlError: when it is none.
    """
    text = entry.scalar()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise entry.error(f"{text!r} is not a whole number from 0: write one such as 10")
    return int(text)
