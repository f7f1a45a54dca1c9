"""What a check finds: facts, each with a mark, and what to do about those that are wrong."""

from enum import Enum
from typing import Any, NamedTuple


class Mark(str, Enum):
    """What a fact means; the values are those of the JSON output."""

    OK = "ok"
    NOTE = "note"  # good to know, and no fault
    UNKNOWN = "unknown"
    WRONG = "wrong"


class Command(NamedTuple):
    """A command line that may help, and what it does or where to run it."""

    line: str
    about: str = ""


class Remedy(NamedTuple):
    """What to do, in words and as commands."""

    text: str
    commands: tuple[Command, ...] = ()


class Fact(NamedTuple):
    """One line of what was found.

    ``key`` names it in the JSON output, where ``values`` are its numbers and texts, with units in
    their names.
    """

    key: str
    mark: Mark
    text: str
    values: dict[str, Any]


class Advice(NamedTuple):
    """A remedy, and the fact that it is about."""

    fact: Fact
    remedy: Remedy

    @property
    def is_needed(self) -> bool:
        """Whether something is wrong without it."""
        return self.fact.mark is Mark.WRONG


class Findings:
    """The facts about one thing, this host or a server, and what to do."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.facts: list[Fact] = []
        self.advice: list[Advice] = []

    def ok(self, key: str, text: str, **values: Any) -> None:
        """Add what is as it should be."""
        self._add(Fact(key, Mark.OK, text, values), ())

    def note(self, key: str, text: str, *remedies: Remedy, **values: Any) -> None:
        """Add what is good to know, and no fault."""
        self._add(Fact(key, Mark.NOTE, text, values), remedies)

    def unknown(self, key: str, text: str, *remedies: Remedy, **values: Any) -> None:
        """Add what cannot be known, and why."""
        self._add(Fact(key, Mark.UNKNOWN, text, values), remedies)

    def wrong(self, key: str, text: str, *remedies: Remedy, **values: Any) -> None:
        """Add a fault, and what to do about it."""
        self._add(Fact(key, Mark.WRONG, text, values), remedies)

    def excuse(self, key: str) -> None:
        """Let a fact be no fault, and need no remedy, if it is there."""
        self.facts = [
            fact._replace(mark=Mark.NOTE) if fact.key == key else fact for fact in self.facts
        ]
        self.advice = [each for each in self.advice if each.fact.key != key]

    def _add(self, fact: Fact, remedies: tuple[Remedy, ...]) -> None:
        self.facts.append(fact)
        self.advice += [Advice(fact, remedy) for remedy in remedies]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(fact.mark is not Mark.WRONG for fact in self.facts)
