"""A network that is cut between agents and exporter, and heals."""

import socket
import subprocess
from collections.abc import Sequence
from errno import ECONNREFUSED
from functools import partial
from pathlib import Path
from time import monotonic, sleep

from support.pages import wait_until
from support.processes import Process, found

from faults.harness.fleet import Host
from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.page import Page
from faults.harness.settings import Settings
from faults.harness.trial import Trial

#: The networks: of reports, which is cut, and of scrapes. Each has an address at either end.
_NETWORKS = {"report": "10.9.1", "scrape": "10.9.2"}
_DISCARD = 9  # a port on which nothing listens


def partition(settings: Settings) -> Outcome:
    """Cut the network of reports twice: so that sending fails, and so that nothing says so."""
    seconds = settings.seconds
    ip = found("ip")
    other = Process([found("unshare"), "--net", "sleep", "3600"], Path("/dev/null"))
    try:
        within = [found("nsenter"), f"--net=/proc/{other.pid}/ns/net"]
        wait_until(lambda: _namespace(other.pid), _is_another, "another namespace")
        for name, network in _NETWORKS.items():
            _run(ip, "link", "add", name, "type", "veth", "peer", "name", f"{name}-far")
            _run(ip, "link", "set", f"{name}-far", "netns", str(other.pid))
            _run(ip, "address", "add", f"{network}.1/24", "dev", name)
            _run(ip, "link", "set", name, "up")
            _run(*within, ip, "address", "add", f"{network}.2/24", "dev", f"{name}-far")
            _run(*within, ip, "link", "set", f"{name}-far", "up")
        address = {name: f"{network}.2" for name, network in _NETWORKS.items()}
        with Trial(
            settings, interval=1.0, prefix=within, udp=address["report"], web=address["scrape"]
        ) as trial:
            trial.begin()
            lives = []
            for command in (
                (ip, "link", "set", "report"),
                (*within, ip, "link", "set", "report-far"),
            ):
                before = trial.watch.downs
                lives.append(_cut(trial, command, seconds, address["report"]))
                if trial.watch.downs == before:
                    raise BrokenRuleError("no host was down while the network was cut")
            trial.freeze()
            wait_until(
                trial.watch.page,
                partial(_all_counted, trial.hosts),
                "each datagram to be counted as received or lost",
                within=5 * trial.fleet.interval,
            )
            page = trial.watch.page()
            lost = sum(page.of(host, "datagrams_lost_total") or 0 for host in trial.hosts)
            outcome = trial.outcome(
                f"the network of {len(trial.hosts)} hosts cut for {seconds:g} s, with errors for "
                f"the agents, and for {seconds:g} s without",
                "; ".join(lives),
            )
            outcome.found.append(f"{lost:,.0f} datagrams counted as lost, as many as were")
            return outcome
    finally:
        other.kill()
        for name in _NETWORKS:
            subprocess.run([ip, "link", "delete", name], check=False, capture_output=True)


def _cut(trial: Trial, command: Sequence[str], seconds: float, address: str) -> str:
    """Take a link down and up again, and return how long hosts take to be live.

    The network has healed once a connection to ``address`` is refused there: the kernel takes a
    moment to note that a link is up.
    """
    trial.fleet.change(partial(_set_cut, value=True))
    _run(*command, "down")
    sleep(seconds)
    _run(*command, "up")
    wait_until(lambda: _connected(address), ECONNREFUSED.__eq__, "the network", every=0.01)
    healed = monotonic()
    trial.fleet.change(partial(_set_cut, value=False))
    return trial.live_again(healed)


def _connected(address: str) -> int:
    """Return the error of a connection to a port on which nothing listens."""
    with socket.socket() as sock:
        sock.settimeout(0.2)
        return sock.connect_ex((address, _DISCARD))


def _set_cut(host: Host, *, value: bool) -> None:
    host.is_cut = value


def _all_counted(hosts: Sequence[Host], page: Page) -> bool:
    return all(
        (page.of(host, "datagrams_received_total") or 0)
        + (page.of(host, "datagrams_lost_total") or 0)
        == host.datagrams
        for host in hosts
    )


def _namespace(pid: int | str) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def _is_another(namespace: str) -> bool:
    return namespace != _namespace("self")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=10)
