"""Checks an exporter over UDP without a key: no exporter answers then, so its API is asked."""

import errno
import os
import socket
import time

from pombo_cli.addresses import Address

from pombo_agent.check import remedies
from pombo_agent.check.api import Api, Knowledge, Refusal
from pombo_agent.check.facts import Findings
from pombo_agent.check.server import Task, about_conflict, about_reports, addresses
from pombo_agent.transport.udp import Destination

_TRIES = 3  # test datagrams, since some may be lost
_PAUSE_SECONDS = 0.3
_API_SECONDS = 2.0

#: Why reports in plain are refused of one host, and of all hosts.
_OF_REPORTS = frozenset({"plain_of_sealed", "revoked"})
_NOT_SEALED = "not_sealed"


def check_plain(task: Task, server: Address, findings: Findings) -> None:
    """Add what the network and the API say of an exporter.

    Where it does not show this host as live, three datagrams are sent that it refuses, so that its
    list of refusals says whether they arrive.
    """
    found = addresses(task, server, findings)
    if not found:
        return
    api = Api(server, task.options.http, task.api)
    known = api.ask(task.name, task.until(_API_SECONDS))
    if _is_live(known):
        _about_live(task, findings, known)
    else:
        test = _Test()
        error = test.send(found[0])
        if not known.fault:
            known = api.ask(task.name, task.until(_API_SECONDS))
        _about_way(task, server, findings, known, test, error)
    about_reports(findings, task, known, has_proof=False)
    about_conflict(findings, task, known, flagged=False)


def check_without_key(task: Task, server: Address, findings: Findings) -> None:
    """Add what can be known of an exporter where the key of this host cannot be used."""
    if addresses(task, server, findings):
        known = Api(server, task.options.http, task.api).ask(task.name, task.until(_API_SECONDS))
        about_reports(findings, task, known, has_proof=False)


def _is_live(known: Knowledge) -> bool:
    return known.host is not None and known.host["state"] == "live"


def _about_live(task: Task, findings: Findings, known: Knowledge) -> None:
    """Say that reports arrive, unless they are of another agent and this one's are refused."""
    refusal = _refusal_of_reports(task, known)
    if refusal is None:
        findings.ok("datagrams", "arrive: the exporter has reports of this host")
    else:
        _about_refusal(task, findings, refusal)


def _about_refusal(task: Task, findings: Findings, refusal: Refusal) -> None:
    text = f"the exporter refuses reports as {refusal.reason}: {refusal.detail}"
    advice = {"revoked": remedies.lift_revocation(task.name)}.get(refusal.reason)
    findings.wrong(
        "datagrams", text, advice or remedies.seal_reports(task.name), reason=refusal.reason
    )


class _Test:
    """Datagrams that no exporter accepts. Its log and its list of refusals show what they say."""

    def __init__(self) -> None:
        token = os.urandom(8).hex().encode()
        self.datagrams = [
            b"pombo-agent check %b %d: a test that is refused on purpose" % (token, number)
            for number in range(_TRIES)
        ]

    def send(self, destination: Destination) -> OSError | None:
        """Send them; return what the system or the network says of them."""
        family, address = destination
        error: OSError | None = None
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as opened:
                opened.settimeout(0)
                opened.connect(address)
                for datagram in self.datagrams:
                    try:
                        opened.send(datagram)
                    except OSError as raised:  # perhaps of the one before
                        error = raised
                    time.sleep(_PAUSE_SECONDS)
                number = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                return OSError(number, os.strerror(number)) if number else error
        except OSError as raised:
            return raised


def _about_way(  # noqa: PLR0913, PLR0917 - all that is known
    task: Task,
    server: Address,
    findings: Findings,
    known: Knowledge,
    test: _Test,
    error: OSError | None,
) -> None:
    """Say whether datagrams arrive, where the exporter does not show this host as live."""
    arrived = known.refusal_of(test.datagrams)
    refusal = _refusal_of_reports(task, known)
    if refusal is not None:
        _about_refusal(task, findings, refusal)
        return
    if arrived is not None:
        text = f"arrive: the exporter has refused a test, as intended, from {arrived.address}"
        findings.ok("datagrams", text, seen_as=arrived.address)
        if known.host is None:
            findings.note("agent", "no report of one has arrived so far", remedies.start_agent())
        return
    if error is not None:
        text = f"are not sent, or refused: {error.strerror or error}"
        advice = [remedies.of_error(error, server)]
        if not known.fault and error.errno == errno.ECONNREFUSED:
            advice.insert(0, remedies.open_port(server.port))
        findings.wrong("datagrams", text, *advice, error=error.strerror)
        return
    if not known.fault:
        text = (
            f"do not arrive: the exporter runs, as {known.url} answers, and has not seen the test"
        )
        findings.wrong("datagrams", text, remedies.open_port(server.port))
        return
    findings.unknown(
        "datagrams",
        "whether they arrive cannot be known: exporters answer only sealed reports, and the API "
        "cannot be asked. The page of the exporter shows this host if they do",
        remedies.open_port(server.port),
        remedies.seal_reports(task.name),
    )


def _refusal_of_reports(task: Task, known: Knowledge) -> Refusal | None:
    """Return why reports of this host were refused lately; None where they were not."""
    for each in known.refusals:
        is_own = each.reason in _OF_REPORTS and repr(task.name) in each.detail
        if is_own or each.reason == _NOT_SEALED:  # whoever has sent that, plain ones are refused
            return each
    return None
