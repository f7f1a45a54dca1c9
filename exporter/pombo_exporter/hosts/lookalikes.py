"""Names of hosts that look alike, such as ``web-1`` with another hyphen, or with a Cyrillic e.

Anybody who can send plain reports can invent a name that nobody tells from an honest one. Names
are not refused for that: they are flagged.
"""

import unicodedata
from typing import Final

#: Letters that look like one of ASCII in most fonts, in small letters: Cyrillic, Greek, others.
_LETTERS: Final = str.maketrans(
    dict(zip("авекмнорстухѕјһԁԛԝ", "abekmhopctyxsjhdqw", strict=True))
    | dict(zip("αβεηικμνορτυχγ", "abehlkmvoptyxy", strict=True))
    | {"ո": "n", "օ": "o", "ɡ": "g"}  # noqa: RUF001
    | dict.fromkeys("i1|ıі", "l")  # noqa: RUF001
    | {"0": "o"}
)


def skeleton(name: str) -> str:
    """Return what is equal for names that look alike: without marks, case and what is invisible.

    All spaces are left out, and all dashes are one. It takes some 5 microseconds.
    """
    found = name
    if not name.isascii():
        letters = []
        for letter in unicodedata.normalize("NFKD", name):
            category = unicodedata.category(letter)
            if category == "Pd":
                letters.append("-")
            elif category[0] not in "MCZ":  # marks, controls and formats, separators
                letters.append(letter)
        found = "".join(letters)
    return found.casefold().translate(_LETTERS).replace(" ", "")


class Lookalikes:
    """The first of the present names that look alike, by what is equal for them."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def add(self, name: str) -> str:
        """Add a name; return the one that it looks like, which is empty where there is none."""
        first = self._first.setdefault(skeleton(name), name)
        return "" if first == name else first

    def remove(self, name: str) -> None:
        """Remove a name."""
        key = skeleton(name)
        if self._first.get(key) == name:
            del self._first[key]
