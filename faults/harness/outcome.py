"""The row of a case, and the rules that hold after each fault."""

from dataclasses import dataclass, field


class BrokenRuleError(AssertionError):
    """Something that must hold after a fault does not."""


@dataclass
class Outcome:
    """What a case did and found; each text is a cell of the table.

    ``done`` is what was done, in figures. ``found`` has further figures of this case.
    """

    done: str
    live: str
    totals: str
    states: str
    refused: str
    memory: str
    found: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[str]:
        """The cells after the name of the fault."""
        done = "; ".join([self.done, *self.found])
        return [done, self.live, self.totals, self.states, self.refused, self.memory]


#: The heads of the cells.
HEADS = (
    "fault",
    "what was done",
    "all live again",
    "totals equal to the truth",
    "false downs, false lates, forged values",
    "refused",
    "memory at most",
)
