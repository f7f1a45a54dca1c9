"""Names under which two agents that seal report at present."""

from typing import Final

#: Seconds for which it is remembered that two agents report under one name.
REMEMBERED_SECONDS: Final = 60.0

_MOST_KEPT: Final = 4096  # names, of agents that were refused


class Rivals:
    """Knows the names whose holder has reported after another agent was refused.

    One that was only refused may be the holder itself, which has started again. All times are in
    seconds of a monotonic clock. When too many names are kept, all are forgotten.
    """

    def __init__(self) -> None:
        self._refused: dict[str, bytes] = {}  # the salt of the agent that was refused last
        self._both_at: dict[str, float] = {}  # when the holder has reported after that

    def refused(self, name: str, salt: bytes) -> None:
        """Note that an agent was refused because another one holds the name."""
        if len(self._refused) >= _MOST_KEPT:
            self._refused.clear()
            self._both_at.clear()
        self._refused[name] = salt

    def cloned(self, name: str, now: float) -> None:
        """Note that two agents have the same salt and numbers."""
        self.refused(name, b"")
        self._both_at[name] = now

    def accepted(self, name: str, salt: bytes, now: float) -> None:
        """Note that a report of an agent was accepted."""
        rival = self._refused.get(name)
        if rival is None:
            return
        del self._refused[name]
        if rival != salt:
            self._both_at[name] = now

    def report_under(self, name: str, now: float) -> bool:
        """Return whether two agents have reported under a name within the last minute."""
        since = self._both_at.get(name)
        if since is None:
            return False
        if now - since < REMEMBERED_SECONDS:
            return True
        del self._both_at[name]
        return False
