"""Names and patterns with one ``*``: the pattern that fits a name best."""

from collections.abc import Mapping


class Patterns:
    """Values by pattern. Of those that fit a name, the one with the longest beginning counts.

    A pattern without ``*`` fits only its own name. A ``*`` stands for one character or more.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._exact = {pattern: value for pattern, value in values.items() if "*" not in pattern}
        self._by_begin: dict[str, list[tuple[str, str]]] = {}
        for pattern, value in values.items():
            begin, star, end = pattern.partition("*")
            if star:
                self._by_begin.setdefault(begin, []).append((end, value))
        for ends in self._by_begin.values():
            ends.sort(key=lambda found: -len(found[0]))
        self._lengths = sorted({*map(len, self._by_begin)}, reverse=True)

    def find(self, name: str) -> str | None:
        """Return the value of the pattern that fits a name, None if there is none."""
        found = self._exact.get(name)
        if found is not None:
            return found
        for length in self._lengths:
            for end, value in self._by_begin.get(name[:length], ()):
                if len(name) > length + len(end) and name.endswith(end):
                    return value
        return None
