"""What the checks of all servers share: the name, its addresses, and what the API says."""

from time import monotonic
from typing import NamedTuple

from pombo_cli import human
from pombo_cli.addresses import Address
from pombo_wire.keys import HostKey

from pombo_agent.check import remedies
from pombo_agent.check.api import Knowledge, shown_address
from pombo_agent.check.facts import Findings
from pombo_agent.collecting.deadlines import start_thread
from pombo_agent.settings import Options
from pombo_agent.transport.heard import CLOCK_SECONDS
from pombo_agent.transport.udp import Destination, resolve
from pombo_agent.wakeup import EventWaiter

#: As in the alert PomboDatagramLoss.
MOST_LOSS = 0.05


class Task(NamedTuple):
    """What every check of a server takes.

    ``key`` is None where reports are not sealed, or the key cannot be used. ``timeout`` is how long
    to wait for an answer, ``end`` when all must be over, in seconds of the monotonic clock.
    """

    options: Options
    key: HostKey | None
    probes: int
    timeout: float
    end: float
    api: str = ""

    @property
    def name(self) -> str:
        """The name of this host."""
        return self.options.name

    def until(self, seconds: float) -> float:
        """Return the time in so many seconds, or the end if that is sooner."""
        return min(monotonic() + seconds, self.end)


def addresses(task: Task, server: Address, findings: Findings) -> list[Destination]:
    """Look the name of a server up, and add what it has come to."""
    found: list[list[Destination] | OSError | UnicodeError] = []
    waiter = EventWaiter()

    def look_up() -> None:
        try:
            found.append(resolve(*server))
        except (OSError, UnicodeError) as error:
            found.append(error)
        finally:
            waiter.wake()

    start_thread(look_up)  # it may take half a minute
    waiter.wait(task.until(task.timeout) - monotonic())
    remedy = remedies.check_name(server.host)
    if not found:
        findings.wrong(
            "address", f"{server.host}: the resolver does not answer", remedy, addresses=[]
        )
        return []
    if isinstance(found[0], Exception):
        text = f"{server.host}: {getattr(found[0], 'strerror', None) or found[0]}"
        findings.wrong("address", text, remedy, addresses=[])
        return []
    shown = list(dict.fromkeys(address[0] for _, address in found[0]))
    findings.ok("address", ", ".join(shown), addresses=shown)
    return found[0]


def about_clock(findings: Findings, ahead: float, uncertainty: float) -> None:
    """Say how far the exporter's clock is ahead of this host's, in seconds."""
    values = {"exporter_ahead_seconds": ahead, "uncertainty_seconds": uncertainty}
    direction = "ahead" if ahead >= 0 else "behind"
    shown = f"{abs(ahead):.2f} s" if abs(ahead) < 60 else human.span(abs(ahead))
    text = f"the exporter's clock is {shown} {direction}"
    if abs(ahead) > CLOCK_SECONDS:
        text += ": reports do not depend on it, but logs, certificates and people do"
        findings.wrong("clock", text, remedies.synchronise_clock(), **values)
    else:
        findings.ok("clock", f"{text}; up to {CLOCK_SECONDS:g} s are harmless", **values)


def about_reports(findings: Findings, task: Task, known: Knowledge, *, has_proof: bool) -> None:
    """Say whether the exporter shows this host, as its API tells.

    ``has_proof`` is whether it is known otherwise that datagrams arrive.
    """
    name = task.name
    if known.fault:
        text = f"not known: {known.url} cannot be asked ({known.fault})"
        if has_proof:
            findings.note("reports", text, url=known.url, fault=known.fault)
        else:
            findings.unknown("reports", text, url=known.url, fault=known.fault)
        return
    if known.host is None:
        text = f"{known.url} shows no host {name}: no report of an agent has arrived"
        findings.note("reports", text, url=known.url, state=None)
        return
    age, state = _number(known.host.get("last_seen_age_seconds")), str(known.host["state"])
    text = f"{known.url} shows {name} as {state}"
    values = {"url": known.url, "state": state, "last_seen_age_seconds": age}
    text += "" if age is None else f", last report {human.span(round(age, 1))} ago"
    text += f" from {shown_address(known.host.get('address'))}"
    if state == "down":
        findings.wrong("reports", text, remedies.start_agent(), **values)
    elif state == "late":
        findings.note("reports", text, **values)
    else:
        findings.ok("reports", text, **values)


def about_conflict(findings: Findings, task: Task, known: Knowledge, *, flagged: bool) -> None:
    """Say whether another agent reports under the name of this host.

    ``flagged`` is whether the answer to a probe says so.
    """
    other = known.conflict
    # One that was refused may be this agent before a restart, unless the holder reported as well.
    is_confirmed = known.host is not None and bool(known.host.get("conflicts"))
    if not flagged and (other is None or not is_confirmed):
        return
    text = f"two agents report as {task.name}: the exporter refuses one of them"
    if other is not None:
        text += f", at {other.address}, {human.span(round(other.seconds_ago, 1))} ago"
    findings.wrong(
        "conflict",
        text,
        remedies.two_agents(task.name, bool(task.options.key_file)),
        address=None if other is None else other.address,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
