"""Strangers flood the port with forged, replayed and malformed datagrams, beside sealed hosts."""

import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

from pombo_wire.sealing import MIN_SEALED_BYTES
from support.pages import wait_until
from support.processes import Process

from faults.harness.fleet import Host
from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.page import Page
from faults.harness.settings import Settings
from faults.harness.trial import Trial

_KINDS = 12_000  # datagrams that are sent over and over
_REPORTS_OF_ANOTHER = 4  # after which a session that starts anew holds the name
_LATE_SECONDS = (
    5.0  # for which a datagram of an earlier session counts as late, and not as another's
)


def flooded(settings: Settings) -> Outcome:
    """Flood at the rate that the exporter must bear: no host may be late."""
    return _flooded(settings, settings.flood, must_bear=True)


def overloaded(settings: Settings) -> Outcome:
    """Flood at twice that rate: what was lost must be counted, and all be well afterwards."""
    return _flooded(settings, 2 * settings.flood, must_bear=False)


def _flooded(settings: Settings, rate: int, *, must_bear: bool) -> Outcome:
    with Trial(settings) as trial:
        trial.begin()
        path = trial.folder / "flood"
        earlier = [datagram for host in trial.hosts for datagram in host.recorded]
        _another_session(trial)
        _write(path, trial.hosts, earlier, random.Random(5005))
        before = trial.watch.page().refused
        trial.watch.lates = 0  # an agent that starts again may be late
        cpu = _cpu(trial.exporter)
        flags = (f"--port={trial.exporter.port}", f"--file={path}", f"--rate={rate}")
        command = [sys.executable, "-m", "faults.programs.flood", *flags]
        command.append(f"--seconds={settings.seconds}")
        began = monotonic()
        flood = trial.kept(Process(command, trial.folder / "flood.log"))
        if flood.ended(within=settings.seconds + 60):
            raise BrokenRuleError(flood.log)
        took, ended = monotonic() - began, monotonic()
        used = _cpu(trial.exporter) - cpu
        result: dict[str, Any] = json.loads(flood.log.splitlines()[-1])
        live = trial.live_again(ended)
        late = 0 if must_bear else trial.watch.excuse()
        sent: Counter[str] = Counter(result["sent"])
        found = _account(trial, sent, Counter(before))
        pace = f"{sent.total() / result['seconds']:,.0f} a second"
        outcome = trial.outcome(
            f"{sent.total():,} datagrams in {result['seconds']:.1f} s, {pace}",
            live,
            refused=found.refused,
            may_be_late=not must_bear,
        )
        outcome.found += [
            f"dropped by the kernel: {found.dropped:,}",
            f"and of {found.honest:,} datagrams of hosts {found.lost:,}",
            f"hosts late or down for that, over all scrapes: {late:,}",
            f"CPU of the exporter: {used / took:.0%} of a core",
            f"slowest scrape: {max(trial.watch.took):.2f} s",
        ]
        return outcome


class _Account(NamedTuple):
    """Refusals by reason as text, and counts of datagrams.

    Of strangers those that the kernel dropped, of hosts all and those that were lost.
    """

    refused: str
    dropped: int
    honest: int
    lost: int


def _another_session(trial: Trial) -> None:
    """Start each agent again, and wait until none of the old datagrams can be a late one."""
    trial.fleet.change(Host.start)
    done = {host.name: host.reports + _REPORTS_OF_ANOTHER for host in trial.hosts}
    wait_until(
        lambda: [host for host in trial.hosts if host.reports < done[host.name]],
        lambda waiting: not waiting,
        "reports of the next session",
        within=(_REPORTS_OF_ANOTHER + 2) * trial.fleet.interval + 10,
    )
    sleep(_LATE_SECONDS)


def _account(trial: Trial, sent: Counter[str], before: Counter[str]) -> _Account:
    """Compare what was sent with what was refused, and with what the kernel dropped.

    ``before`` are refusals of before the flood: agents that started again are refused at first.
    """
    trial.freeze()
    page = trial.watch.page()
    honest = trial.fleet.datagrams
    dropped = trial.exporter.kernel_drops()
    received = page.counted("datagrams_received_total")
    if received + dropped != sent.total() + honest:
        text = f"received {received:,}, dropped {dropped:,}, sent {sent.total():,} + {honest:,}"
        raise BrokenRuleError(text)
    if page.counted("kernel_drops_total") != dropped:
        raise BrokenRuleError("the exporter's count of drops is not the kernel's")
    accepted = sum(_accepted(page, host) for host in trial.hosts)
    if sum(page.refused.values()) != received - accepted:
        raise BrokenRuleError(f"refused {page.refused} of {received:,}, {accepted:,} accepted")
    refused = Counter(page.refused) - before
    if not dropped and refused != sent:
        raise BrokenRuleError(f"refused {refused} and not {sent}")
    if refused.keys() - sent.keys() - {"unproven"}:  # a holder that was silent loses its name
        raise BrokenRuleError(f"refused {refused}, sent {sent}")
    text = ", ".join(f"{count:,} `{name}`" for name, count in sorted(refused.items()))
    lost = honest - accepted - before.total()
    return _Account(text, sent.total() - refused.total(), honest, lost)


def _accepted(page: Page, host: Host) -> int:
    """Return how many datagrams of a host were accepted: each number once."""
    received = page.of(host, "datagrams_received_total") or 0
    return round(received - (page.of(host, "datagrams_duplicate_total") or 0))


def _cpu(process: Process) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _write(path: Path, hosts: Sequence[Host], earlier: Sequence[bytes], rng: random.Random) -> None:
    """Write datagrams of each kind, in turn, with the reason for which each must be refused.

    ``earlier`` are those of sessions that have ended.
    """
    kinds = [_forged(hosts, rng), _replayed(hosts, earlier, rng), _malformed(hosts, rng)]
    with path.open("w", encoding="ascii") as file:
        for number in range(_KINDS):
            reason, datagram = next(kinds[number % len(kinds)])
            file.write(f"{reason}\t{datagram.hex()}\n")


def _forged(hosts: Sequence[Host], rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield datagrams with names that exist, and seals that are not of their keys."""
    while True:
        host = rng.choice(hosts)
        recorded = rng.choice(host.recorded)
        kid, name = recorded[1:5], host.name.encode()
        numbers = rng.randbytes(22) + rng.randbytes(6)
        body = rng.randbytes(rng.choice((100, 300, 600, 1000)))
        head = bytes((len(name),)) + name
        yield "bad_seal", b"\xb1" + kid + b"\0" + numbers + head + body
        flipped = bytearray(recorded)
        flipped[rng.randrange(6, len(recorded))] ^= 1 << rng.randrange(8)
        if flipped[34 : 35 + len(name)] == head:
            yield "bad_seal", bytes(flipped)
        yield "unknown_key", b"\xb1" + rng.randbytes(4) + recorded[5:]
        yield "bad_seal", recorded[:5] + bytes((rng.randint(1, 255),)) + recorded[6:]


def _replayed(
    hosts: Sequence[Host], earlier: Sequence[bytes], rng: random.Random
) -> Iterator[tuple[str, bytes]]:
    """Yield datagrams that hosts have sent before, in this session and in an earlier one."""
    while True:
        yield "replayed", rng.choice(rng.choice(hosts).recorded)
        yield "conflict", rng.choice(earlier)


def _malformed(hosts: Sequence[Host], rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield what is no sealed datagram, or cannot be one."""
    while True:
        recorded = rng.choice(rng.choice(hosts).recorded)
        yield "malformed", recorded[: rng.randrange(1, MIN_SEALED_BYTES)]
        yield "malformed", recorded[:34] + b"\0" + recorded[35:]
        yield "malformed", recorded[:34] + b"\xff" + recorded[35:120]
        yield "malformed", recorded.ljust(1201, b"\0")
        name = rng.choice(hosts).name
        yield "not_sealed", json.dumps({"host": name, "gauges": {"forged": 666}}).encode()
        yield "not_sealed", b"\xb0\x01" + rng.randbytes(rng.randrange(900))
        yield "not_sealed", rng.randbytes(1)[:1].replace(b"\xb1", b"\xb2") + rng.randbytes(200)
