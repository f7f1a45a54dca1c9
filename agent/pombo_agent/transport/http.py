"""Sends datagrams over HTTP to one exporter, in a thread, so that no report waits for a server.

Imported only by agents that report over HTTP.
"""

import json
from collections.abc import Callable, Iterable
from threading import Condition
from time import monotonic
from typing import NamedTuple

from pombo_cli.logs import LimitedLogger
from pombo_wire.framing import bodies
from pombo_wire.sealing import ACCEPTED, Acknowledgement

from pombo_agent.collecting.deadlines import start_thread
from pombo_agent.servers import HttpOptions, Url
from pombo_agent.transport.connection import Answer, Connection, cause_of, reason_of
from pombo_agent.transport.dialogue import Dialogue
from pombo_agent.transport.heard import MISSED, Heard
from pombo_agent.transport.udp import shown_address

#: The least and the most seconds that the requests of a report may take; between these, two
#: intervals.
LEAST_TIMEOUT_SECONDS = 2.0
MOST_TIMEOUT_SECONDS = 10.0

#: Seconds between two attempts to reach a server that cannot be reached.
RETRY_SECONDS = 0.25

#: The most seconds for which a server may ask to wait, and what it gets if it names no number.
MOST_WAIT_SECONDS = 60.0
_DEFAULT_WAIT_SECONDS = 1.0

#: Seconds after a bye until which a request that is under way then may take, and that of the bye.
_LAST_REPORT_SECONDS = 1.0
_BYE_SECONDS = 2.0

_MOST_WAITING = 512  # datagrams: a report, and what ends the session
_MOST_TEXT = 300  # characters of a refusal

_REFUSES = "exporter refuses reports"


class Timing(NamedTuple):
    """The interval of reports in seconds, a monotonic clock, and what starts the thread."""

    interval: float
    clock: Callable[[], float] = monotonic
    start: Callable[[Callable[[], None]], None] = start_thread


class HttpSender:
    """Sends reports to one server over HTTP, and logs whether the server hears them.

    A report is handed to a thread, which sends it and reads the answer. It is lost if the one
    before is still under way, if the server has asked to wait, or if the request fails: a body is
    never sent twice, since it may have arrived. So its numbers are missing at the server.

    With a ``dialogue``, datagrams are sealed. If it asks for acknowledgements, the server hears
    what it acknowledges; otherwise what it answers with 200. A ``quiet`` sender logs nothing.
    """

    def __init__(  # noqa: PLR0913 - the parts of which it consists
        self,
        server: Url,
        options: HttpOptions,
        log: LimitedLogger,
        timing: Timing,
        dialogue: Dialogue | None = None,
        *,
        asks: bool = False,
        quiet: bool = False,
    ) -> None:
        self._server, self._timing = server, timing
        self._log = None if quiet else log
        self._heard = Heard(server, self._log)
        self._dialogue, self._asks = dialogue, asks
        self._connection = Connection(server, options)
        doubled = 2 * timing.interval
        self._timeout = min(max(doubled, LEAST_TIMEOUT_SECONDS), MOST_TIMEOUT_SECONDS)
        self._changed = Condition()  # guards what follows, and the dialogue
        self._waiting: list[bytes] = []  # for the thread
        self._is_reporting = False  # a report waits for the thread, or is under way
        self._has_thread = self._is_closing = False
        self._is_left = False  # the connection is to be closed before anything else is sent
        self._pause = _Pause(float("-inf"), "")
        self._bye_at: float | None = None  # since the last report

    def where(self) -> dict[str, object]:
        """Return, for the log, the URL that reports go to. The thread looks its name up."""
        return {"server": self._server}

    @property
    def is_heard(self) -> bool | None:
        """Whether the server hears this agent; None where that is not known."""
        return self._heard.is_heard

    @property
    def is_accepted(self) -> bool:
        """Whether the last answer says that the server has accepted a report."""
        return self._heard.is_accepted

    def poll(self) -> None:
        """Do nothing: the thread has read the answers so far."""

    def send(self, datagrams: Iterable[bytes]) -> None:
        """Hand a report to the thread, or lose it; the cause is logged."""
        with self._changed:
            self._bye_at = None
            sealed = self._sealed(datagrams, asks=True)
            if self._is_reporting:
                self._lose("the report before is still under way")
            elif self._timing.clock() < self._pause.end:
                self._lose(self._pause.cause)
            else:
                self._is_reporting = self._hand_over(sealed)

    def send_known(self, datagrams: Iterable[bytes]) -> None:
        """Hand datagrams that end the session to the thread, whatever is under way."""
        with self._changed:
            self._bye_at = self._timing.clock()
            self._connection.hurry(self._bye_at + _LAST_REPORT_SECONDS)
            sealed = self._sealed(datagrams, asks=False)
            if len(self._waiting) < _MOST_WAITING:
                self._hand_over(sealed)

    def renew(self) -> None:
        """Use another connection and salt, since the last salt said bye or may be old."""
        with self._changed:
            self._leave()
            if self._dialogue is not None:
                self._dialogue.new_salt()

    def leave(self) -> None:
        """Send nothing for a while; a later report opens a connection."""
        with self._changed:
            self._leave()

    def _leave(self) -> None:
        if self._bye_at is None:
            self._connection.hurry(self._timing.clock())  # it may be one of another network
        self._is_left = True  # so that the thread closes the connection
        self._changed.notify_all()
        self._heard.forget()
        self._ask_anew()

    def close(self) -> None:
        """Wait until the byes are sent, two seconds after the last one at most."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            if self._bye_at is None:
                self._is_left = True
                self._connection.hurry(self._timing.clock())
            else:
                left = self._bye_at + _BYE_SECONDS - self._timing.clock()
                self._changed.wait_for(lambda: not self._has_thread, max(0.0, left))

    def _sealed(self, datagrams: Iterable[bytes], *, asks: bool) -> list[bytes]:
        """Return the datagrams as they are sent, and those of a report that is lost as well.

        So each has a number, and the server counts those that are missing.
        """
        if self._dialogue is None:
            return [*datagrams]
        return [*self._dialogue.seal(datagrams, asks=asks)]

    def _lose(self, cause: str) -> None:
        self._ask_anew()  # what is lost may have asked
        self._warn("report lost", cause)

    def _ask_anew(self) -> None:
        if self._dialogue is not None:
            self._dialogue.ask_anew()

    def _hand_over(self, datagrams: list[bytes]) -> bool:
        """Let the thread send datagrams; return False if there is none."""
        if not self._has_thread:
            try:
                self._timing.start(self._work)
            except RuntimeError as error:  # too many threads, for now
                self._lose(str(error))
                return False
            self._has_thread = True
        self._waiting += datagrams
        self._changed.notify_all()
        return True

    def _work(self) -> None:
        """Send what waits, until the agent ends."""
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._is_left:
                    self._is_left = False  # what follows is sent over another connection
                    self._connection.close()
                if not self._waiting and not self._is_closing:
                    continue
                if not self._waiting:
                    self._connection.close()
                    self._has_thread = False
                    self._changed.notify_all()
                    return
                datagrams, self._waiting = self._waiting, []
            began = self._timing.clock()
            try:
                self._deliver(datagrams, began)
            except Exception as error:  # noqa: BLE001  # it costs this report alone
                with self._changed:
                    self._rest(began)
                    self._note_unheard(MISSED, reason_of(error))
            with self._changed:  # unless what was sent is a bye, and a report waits
                self._is_reporting = self._is_reporting and bool(self._waiting)

    def _has_work(self) -> bool:
        return bool(self._waiting) or self._is_closing or self._is_left

    def _rest(self, began: float) -> None:
        """Send no report for a moment after a request that began then, and failed."""
        self._pause = _Pause(began + RETRY_SECONDS, "the request before has failed")

    def _deliver(self, datagrams: list[bytes], began: float) -> None:
        """Send datagrams, and note what the answers say; ``began`` is the present time.

        Raises:
            OSError, HTTPException, ValueError: as ``Connection.post``, and when an answer is no
                exporter's.
        """
        bye_at = self._bye_at
        end = began + self._timeout if bye_at is None else bye_at + _BYE_SECONDS
        found: list[bytes] = []
        is_refused = False
        for body in bodies(datagrams):
            answer = self._connection.post(body, end)
            with self._changed:
                if answer.status == 422:
                    is_refused = True
                    self._warn(_REFUSES, *_refusal(answer))
                    continue
                if answer.status != 200:
                    self._rest(began)
                    self._note_status(answer)
                    return
                found += answer.datagrams
        with self._changed:
            self._pause = _Pause(float("-inf"), "")
            if is_refused:
                self._heard.answered()
            else:
                self._note_taken(found)

    def _note_status(self, answer: Answer) -> None:
        """Note that the server has taken nothing, and wait if it asks for that."""
        if answer.status in (429, 503):
            end = self._timing.clock() + _seconds_to_wait(answer.retry_after)
            self._pause = _Pause(end, "the server has asked to wait")
        self._note_unheard(_REFUSES, cause_of(answer))

    def _note_taken(self, datagrams: list[bytes]) -> None:
        """Note that the server has taken a report, and read its acknowledgements."""
        if self._dialogue is None or not self._asks:
            self._heard.answered(accepted=True)
            return
        heard: Acknowledgement | None = None
        for datagram in datagrams:
            heard = self._dialogue.read(datagram) or heard
        if heard is not None:
            self._heard.answered(
                shown_address(heard),
                accepted=bool(heard.flags & ACCEPTED),
                clock_ahead=self._dialogue.clock_ahead,
            )
            if self._dialogue.has_rival(heard):
                self._heard.conflicts()
        elif self._dialogue.is_unheard:
            cause = "no acknowledgement: check that it has the key of this fleet"
            self._note_unheard(MISSED, cause)

    def _note_unheard(self, message: str, cause: str) -> None:
        if not self._is_left:  # else it says nothing of the connection that follows
            self._heard.missed(cause=cause, message=message)
        self._ask_anew()

    def _warn(self, message: str, cause: str = "", detail: str = "") -> None:
        """Log a warning; one in a while for each cause, whatever its detail."""
        if self._log is None:
            return
        fields = {name: text for name, text in (("cause", cause), ("detail", detail)) if text}
        key = f"{self._server} {message} {cause}"
        self._log.warning(message, key=key, server=self._server, **fields)


class _Pause(NamedTuple):
    """Until when no report is sent, and why."""

    end: float
    cause: str


def _refusal(answer: Answer) -> tuple[str, str]:
    """Return why the exporter refused a datagram, and the detail."""
    try:
        said = json.loads(answer.body)
        return str(said["reason"])[:_MOST_TEXT], str(said["detail"])[:_MOST_TEXT]
    except (ValueError, LookupError, TypeError):
        return "", ""


def _seconds_to_wait(retry_after: str) -> float:
    """Return for how long a server asks to wait, within bounds; dates are not read."""
    if not (retry_after.isascii() and retry_after.isdigit()):
        return _DEFAULT_WAIT_SECONDS
    return min(float(retry_after), MOST_WAIT_SECONDS)
