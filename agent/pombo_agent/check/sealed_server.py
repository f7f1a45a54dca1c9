"""Checks an exporter over UDP with the key of this host: by probes, which it answers."""

import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from time import monotonic

from pombo_cli import human
from pombo_cli.addresses import Address
from pombo_wire.keys import HostKey
from pombo_wire.sealing import CONFLICT, Crypto

from pombo_agent.check import remedies
from pombo_agent.check.api import Api, Knowledge
from pombo_agent.check.facts import Findings
from pombo_agent.check.path_mtu import HEADERS, PathMtu, path_mtu
from pombo_agent.check.probing import Measured, Prober, first_to_answer, measure
from pombo_agent.check.server import (
    MOST_LOSS,
    Task,
    about_clock,
    about_conflict,
    about_reports,
    addresses,
)
from pombo_agent.transport.udp import Destination, shown_address

_API_SECONDS = 2.0
_MTU_SECONDS = 4.0


def check_sealed(
    task: Task, key: HostKey, server: Address, findings: Findings, note: Callable[[int], None]
) -> None:
    """Add what probes say of an exporter, and what its API says beside them.

    ``note`` takes how many probes were sent so far.
    """
    from pombo_agent.transport.crypto import CRYPTO  # noqa: PLC0415 - only sealing needs it

    found = addresses(task, server, findings)
    if not found:
        return
    with ExitStack() as stack:
        probers, errors = _opened(CRYPTO, key, found, stack)
        prober = None
        if probers:
            prober = first_to_answer(probers, task.until(task.timeout) - monotonic())
        known = Api(server, task.options.http, task.api).ask(task.name, task.until(_API_SECONDS))
        if prober is None:
            sent = [datagram for each in probers for datagram in each.sent]
            for each in probers:
                errors += each.errors.values()
            _explain_silence(task, server, findings, known, sent, errors)
            about_reports(findings, task, known, has_proof=False)
        else:
            _say_silent(findings, probers, prober)
            _measure(task, server, findings, prober, note)
            about_reports(findings, task, known, has_proof=True)
        flagged = any(
            each.said.flags & CONFLICT for one in probers for each in one.answers.values()
        )
        about_conflict(findings, task, known, flagged=flagged)


def _opened(
    crypto: Crypto, key: HostKey, found: Iterable[Destination], stack: ExitStack
) -> tuple[list[Prober], list[OSError]]:
    """Return what probes each address, and why others cannot be probed."""
    probers: list[Prober] = []
    errors: list[OSError] = []
    for destination in dict.fromkeys(found):
        try:
            probers.append(Prober(crypto, key, destination))
            stack.callback(probers[-1].close)
        except OSError as error:  # noqa: PERF203 - a name has few addresses
            errors.append(error)
    return probers, errors


def _say_silent(findings: Findings, probers: Sequence[Prober], answering: Prober) -> None:
    """Say which addresses before the one that answers do not."""
    silent = [each.address[0] for each in probers[: probers.index(answering)]]
    if silent:
        text = (
            f"{', '.join(silent)} does not answer, {answering.address[0]} does: after a start, the "
            f"agent is heard only after a time-out for each"
        )
        findings.note("silent_addresses", text, silent=silent)


def _measure(
    task: Task,
    server: Address,
    findings: Findings,
    prober: Prober,
    note: Callable[[int], None],
) -> None:
    end = min(task.end - _MTU_SECONDS, monotonic() + task.probes)  # a second for each is ample
    measured = measure(prober, task.probes, max(end, monotonic() + 1), note)
    if measured is None:
        findings.wrong("loss", "all probes after the first", remedies.find_loss(server))
        return
    seen = shown_address(measured.soonest.said)
    findings.ok(
        "answer",
        f"hears {task.name!r} as {seen}: the key is accepted",
        address=prober.address[0],
        seen_as=seen,
    )
    _about_nat(findings, prober, seen)
    findings.ok(
        "round_trip",
        f"{measured.least * 1e3:.1f} ms at least, {measured.median * 1e3:.1f} ms median, "
        f"{measured.most * 1e3:.1f} ms at most",
        min_seconds=measured.least,
        median_seconds=measured.median,
        max_seconds=measured.most,
    )
    _about_loss(findings, server, measured)
    about_clock(findings, measured.soonest.clock_ahead, measured.soonest.seconds / 2)
    found = path_mtu(prober, measured.lost, measured.median, task.until(_MTU_SECONDS))
    if found is not None:
        _about_mtu(findings, found, prober)


def _about_nat(findings: Findings, prober: Prober, seen: str) -> None:
    host, port, *_ = prober.socket.getsockname()
    own = str(Address(host.partition("%")[0], port))
    if own == seen:
        findings.ok("nat", "none: the exporter sees the address that this host has", local=own)
    else:
        text = (
            f"between this host and the exporter: sent from {own}, seen as {seen}. Reports arrive "
            "as long as this host sends more often than the NAT forgets, mostly 30 s"
        )
        findings.note("nat", text, local=own)


def _about_loss(findings: Findings, server: Address, measured: Measured) -> None:
    lost = measured.sent - measured.answered
    values = {"sent": measured.sent, "lost": lost, "lost_ratio": measured.lost}
    text = f"{lost} of {measured.sent} probes, on the way there or back"
    if not lost:
        findings.ok("loss", f"0 of {measured.sent} probes", **values)
    elif measured.lost <= MOST_LOSS:
        findings.ok("loss", f"{text}; up to {human.ratio(MOST_LOSS)} is harmless", **values)
    else:
        shown = f"{human.ratio(measured.lost)}: {text}"
        findings.wrong("loss", shown, remedies.find_loss(server), **values)


def _about_mtu(findings: Findings, found: PathMtu, prober: Prober) -> None:
    headers = HEADERS[socket.AddressFamily(prober.family)]
    values = {
        "known_bytes": found.known,
        "longest_bytes": found.longest + headers if found.longest else 0,
        "is_whole": found.is_whole,
        "arrives": found.arrives,
    }
    if found.is_whole:
        text = f"datagrams of 1,200 bytes arrive in one piece; the kernel knows {found.known:,}"
        findings.ok("path_mtu", text, **values)
        return
    longest = f"{found.longest + headers:,}" if found.longest else "below 1,228"
    if found.arrives:
        text = f"{longest}: datagrams of 1,200 bytes arrive, in fragments"
        findings.note("path_mtu", text, **values)
        return
    text = f"{longest}: datagrams of 1,200 bytes do not arrive, and nothing says so on the way"
    remedy = remedies.lower_mtu(_device_of(prober), found.longest, headers)
    findings.wrong("path_mtu", text, remedy, **values)


def _device_of(prober: Prober) -> str:
    """Return the network interface of a socket; empty where that is not known."""
    import psutil  # noqa: PLC0415 - only this fault needs it

    own = prober.socket.getsockname()[0]
    for device, found in psutil.net_if_addrs().items():
        if any(each.address.partition("%")[0] == own for each in found):
            return str(device)
    return ""


def _explain_silence(  # noqa: PLR0913, PLR0917 - all that is known
    task: Task,
    server: Address,
    findings: Findings,
    known: Knowledge,
    sent: Sequence[bytes],
    errors: Sequence[OSError],
) -> None:
    """Say why probes were not answered, as far as that can be known."""
    refusal = known.refusal_of(sent)
    if refusal is not None:
        _explain_refusal(task, findings, refusal.reason, refusal.detail)
        return
    error = next((each for each in errors if each.errno != errno.EMSGSIZE), None)
    if error is not None:
        text = f"no answer to {task.name!r}: {error.strerror or error}"
        if not known.fault and error.errno == errno.ECONNREFUSED:
            text += (
                f". HTTP on port {server.port} answers, so the exporter runs: a firewall rejects "
                "UDP, or its --udp.listen-address has another port"
            )
            advice = [remedies.open_port(server.port), remedies.start_exporter(server.port)]
            findings.wrong("answer", text, *advice, error=error.strerror)
        else:
            findings.wrong("answer", text, remedies.of_error(error, server), error=error.strerror)
        return
    text = f"no answer to {task.name!r} within {task.timeout:g} s"
    if task.options.one_way:
        findings.unknown("answer", f"{text}, as a network for --one-way may have it")
        return
    if not known.fault:
        text += (
            f". The exporter runs, as {known.url} answers, and it has not refused the probes: so "
            "they do not arrive, or the answers do not come back"
        )
        findings.wrong("answer", text, remedies.open_port(server.port))
        return
    text += (
        ". Exporters do not answer a wrong key, so these are left, most probable first: a firewall "
        "drops UDP; the key is of another fleet, denied or of an old generation; nothing is at "
        "this address"
    )
    findings.wrong(
        "answer",
        text,
        remedies.open_port(server.port),
        remedies.check_key(task.name),
        remedies.start_exporter(server.port),
    )


def _explain_refusal(task: Task, findings: Findings, reason: str, detail: str) -> None:
    """Say why an exporter has refused the probes, by its own words."""
    advice = {"revoked": remedies.lift_revocation(task.name)}.get(reason)
    if advice is None and "--seal.key-file" in detail:
        advice = remedies.give_exporter_key()
    text = f"the exporter refuses the key of {task.name!r} as {reason}: {detail}"
    findings.wrong("answer", text, advice or remedies.check_key(task.name), reason=reason)
