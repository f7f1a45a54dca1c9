"""What node_exporter and the agent, with an exporter, expose of the same machine or files."""

import re
import socket
import subprocess
import sys

from support.pages import Labels, Page, fetch_page, wait_until
from support.processes import Exporter, Launcher, found, free_port


def of_their_own(start: Launcher, flags: list[str]) -> Page:
    """Return the exposition of node_exporter with these flags."""
    where = f"127.0.0.1:{free_port()}"
    start.program(found("prometheus-node-exporter"), f"--web.listen-address={where}", *flags)
    return wait_until(lambda: fetch_page(f"http://{where}/metrics"), bool, "node_exporter")


def of_agent(exporter: Exporter, name: str, flags: list[str]) -> Page:
    """Return the exposition of an exporter to which an agent with these flags has reported."""
    command = [sys.executable, "-m", "pombo_agent", "--once", "--format=json", f"--name={name}"]
    made = subprocess.run([*command, *flags], check=True, capture_output=True)
    datagrams = made.stdout.splitlines()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for datagram in datagrams:
            sending.sendto(datagram, ("127.0.0.1", exporter.port))
    received = "pombo_host_datagrams_received_total"
    return wait_until(
        exporter.page,
        lambda page: page.value(received, instance=name) == len(datagrams),
        "the agent's report",
    )


def samples(page: Page, names: set[str], **labels: str) -> dict[str, dict[Labels, float]]:
    """Return the samples of these names without empty labels."""
    found = {name: page.stored(name, **labels) for name in names}
    return {name: rows for name, rows in found.items() if rows}


def types(page: Page) -> dict[str, str]:
    """Return the type of each ``node_*`` family."""
    return dict(re.findall(r"^# TYPE (node_\w+) (\w+)$", page.text, re.MULTILINE))


def helps(page: Page) -> dict[str, str]:
    """Return the HELP text of each ``node_*`` family."""
    return dict(re.findall(r"^# HELP (node_\w+) (.+)$", page.text, re.MULTILINE))
