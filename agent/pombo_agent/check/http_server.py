"""Checks an exporter over HTTP: by a probe with the key of this host, or by asking its API."""

from collections.abc import Sequence
from http.client import HTTPException
from time import monotonic, time

from pombo_cli.addresses import Address
from pombo_wire.framing import framed
from pombo_wire.keys import HostKey
from pombo_wire.sealing import CONFLICT, PROBE, WANTS_ANSWER, Acknowledgement, Sealer

from pombo_agent.check import remedies
from pombo_agent.check.api import Api
from pombo_agent.check.facts import Command, Findings, Remedy
from pombo_agent.check.probing import Answer
from pombo_agent.check.server import Task, about_clock, about_conflict, about_reports, addresses
from pombo_agent.servers import Url
from pombo_agent.transport.connection import Connection, cause_of, reason_of
from pombo_agent.transport.udp import shown_address

_API_SECONDS = 2.0
_PROBES = 5  # the first of which opens the connection


def check_http(task: Task, key: HostKey | None, server: Url, findings: Findings) -> None:
    """Add what an exporter answers over HTTP."""
    reached = server.proxy or Address(server.host, server.port)
    if not addresses(task, reached, findings):
        return
    if server.proxy is not None:
        findings.note("proxy", str(server.proxy), proxy=str(server.proxy))
    flagged = False
    has_proof = False
    if key is not None:
        try:
            answers = _answers(task, key, server)
        except OSError as error:
            text = str(error.strerror or error)
            findings.wrong("answer", text, _of_http(server, text), error=text)
        else:
            has_proof = bool(answers)
            flagged = any(each.said.flags & CONFLICT for each in answers)
            _about_answers(task, findings, answers)
    known = Api(server, task.options.http, task.api).ask(task.name, task.until(_API_SECONDS))
    if key is None and known.fault:
        text = f"the exporter cannot be asked: {known.fault}"
        findings.wrong("answer", text, _of_http(server, known.fault), error=known.fault)
    about_reports(findings, task, known, has_proof=has_proof)
    about_conflict(findings, task, known, flagged=flagged)


def _answers(task: Task, key: HostKey, server: Url) -> list[Answer]:
    """Send probes, each when the one before is answered; return the answers.

    Raises:
        OSError: when the server cannot be reached, or does not take a probe; the text says why.
    """
    from pombo_agent.transport.crypto import CRYPTO  # noqa: PLC0415 - only sealing needs it

    sealer = Sealer(CRYPTO, key.kid, key.generation, key.key, key.name.encode())
    connection = Connection(server, task.options.http)
    found: list[Answer] = []
    try:
        for _ in range(_PROBES):
            began, wall = monotonic(), time()
            body = framed([sealer.seal(b"{}", flags=PROBE | WANTS_ANSWER)])
            said = _posted(connection, body, sealer, task.until(task.timeout))
            if said is None:
                return found
            seconds = monotonic() - began
            found.append(Answer(said, seconds, said.time_ms / 1000 - (wall + seconds / 2)))
    finally:
        connection.close()
    return found


def _posted(
    connection: Connection, body: bytes, sealer: Sealer, end: float
) -> Acknowledgement | None:
    """Return the acknowledgement of a request; None where there is none.

    Raises:
        OSError: when the server cannot be reached, or does not take the probe.
    """
    try:
        answer = connection.post(body, end)
        datagrams = answer.datagrams if answer.status == 200 else []
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(reason_of(error)) from None
    if answer.status != 200:
        raise OSError(cause_of(answer))
    return next(filter(None, map(sealer.acknowledgement, datagrams)), None)


def _about_answers(task: Task, findings: Findings, answers: Sequence[Answer]) -> None:
    name = task.name
    if not answers:
        findings.wrong(
            "answer",
            f"no acknowledgement for {name!r}: check that the exporter has the key of this fleet, "
            "and does not deny the name",
            remedies.check_key(name),
            remedies.lift_revocation(name),
        )
        return
    soonest = min(answers, key=lambda each: each.seconds)
    seen = shown_address(soonest.said)
    findings.ok("answer", f"hears {name!r} as {seen}: the key is accepted", seen_as=seen)
    findings.ok(
        "round_trip",
        f"{soonest.seconds * 1e3:.1f} ms at least; the first request, with the connection, took "
        f"{answers[0].seconds * 1e3:.1f} ms",
        min_seconds=soonest.seconds,
        first_seconds=answers[0].seconds,
    )
    about_clock(findings, soonest.clock_ahead, soonest.seconds / 2)


def _of_http(server: Url, text: str) -> Remedy:
    """Return what to do where a server cannot be reached, or does not take a probe."""
    return Remedy(
        f"Correct the URL, or what stands between: {text}. See what answers there.",
        (
            Command(
                f"curl --verbose --output /dev/null {server.scheme}://{server.host}:{server.port}/"
            ),
        ),
    )
