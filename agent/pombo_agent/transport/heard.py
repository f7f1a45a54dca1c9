"""Whether a server hears this agent, which its answers show, and the log lines about it."""

import logging
from typing import Any

from pombo_cli.logs import LimitedLogger

#: The most changes of one server that are logged while the log repeats no line.
MOST_CHANGES = 10

#: By how many seconds clocks may differ before the log says it, as in the alert PomboHostClockOff.
CLOCK_SECONDS = 5.0

#: The message about a server whose answer has not come.
MISSED = "exporter does not answer"


class Heard:
    """Whether one server hears this agent.

    ``is_heard`` is None until that is known, and ``is_accepted`` what the last answer says of a
    report. Each change is logged; without ``log`` none is.
    """

    def __init__(self, server: object, log: LimitedLogger | None) -> None:
        self._server, self._log = server, log
        self.is_heard: bool | None = None
        self.is_accepted = False  # what was sent last, as far as an answer says
        self._logged: bool | None = None  # what the log said last
        self._message = "exporter answers"
        self._changes = 0

    def answered(
        self, address: str = "", *, accepted: bool = False, clock_ahead: float | None = None
    ) -> None:
        """Note an answer: to a report that was accepted, or refused.

        It came from ``address``, if the answer says that, and the exporter's clock is so many
        seconds ahead of this host's.
        """
        self.is_heard, self.is_accepted = True, accepted
        if clock_ahead is not None and abs(clock_ahead) > CLOCK_SECONDS:
            self._warn_of_clock(clock_ahead)
        if accepted and self._logged is not True:
            fields = {"heard_from": address} if address else {}
            if self._write(logging.INFO, self._message, **fields):
                self._logged = True
            self._message = "exporter answers again"

    def missed(self, trying: str = "", *, cause: str = "", message: str = MISSED) -> None:
        """Note that the server does not hear: the cause, if it is known, or what is tried now."""
        self.is_heard = self.is_accepted = False
        if self._logged is not False:
            fields = (
                {"cause": cause} if cause else {"trying": trying, "remedy": _remedies().SILENCE}
            )
            if self._write(logging.WARNING, message, **fields):
                self._logged = False
            self._changes += 1

    def failed(self) -> None:
        """Note that sending failed, which the log says already. So it says the next answer too."""
        if self._logged:
            self._logged = None

    def conflicts(self) -> None:
        """Log that another agent holds the name."""
        if self._log is not None:
            message = "another agent reports under this name"
            key = f"{self._server} {message}"
            fields = {"server": self._server, "remedy": _remedies().CONFLICT}
            self._log.warning(message, key=key, **fields)

    def _warn_of_clock(self, ahead: float) -> None:
        """Log that the clocks differ. No report depends on them, but people compare times."""
        if self._log is not None:
            message = "clocks of this host and the exporter differ"
            key = f"{self._server} {message}"
            fields = {"server": self._server, "exporter_ahead_seconds": round(ahead, 1)}
            self._log.warning(message, key=key, **fields, remedy=_remedies().CLOCK)

    def forget(self) -> None:
        """Note that it is not known any more, since nothing is sent to this server."""
        self.is_heard, self.is_accepted = None, False
        if self._logged:
            self._logged = None
            self._changes += 1

    def _write(self, level: int, message: str, **fields: object) -> bool:
        """Write a line; return False where there were too many."""
        if self._log is None:
            return True
        key = f"{self._server} {message} {self._changes % MOST_CHANGES}"
        return self._log.log(level, message, key=key, server=self._server, **fields)


def _remedies() -> Any:
    """Return the module of remedies, which agents that are heard never import."""
    from pombo_agent.transport import remedies  # noqa: PLC0415

    return remedies
