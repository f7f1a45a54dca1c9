"""Networks of the kernel's own: namespaces with a router between agents and servers, which has NAT.

Nothing here needs privileges: the namespaces are in a user namespace. They end with the processes
that hold them.
"""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Self

from support.pages import Page, parsed_page
from support.processes import ROOT

#: Where agents, the router and servers are: IPv4 and IPv6. Servers have two addresses each.
ROUTER: Final = "10.2.0.1", "fd00:2::1"
SERVERS: Final = ("10.2.0.2", "fd00:2::2"), ("10.2.0.3", "fd00:2::3")
#: Addresses that nobody has: what is sent there gets no answer and no error.
SILENT: Final = "10.2.0.9", "fd00:2::9"

_SETUP_ROUTER = """
mount -t tmpfs tmpfs /run
ip link set lo up
ip link add to-agents type veth peer name eth0 netns {agents}
ip link add to-servers type veth peer name eth0 netns {servers}
ip address add 10.1.0.1/24 dev to-agents
ip address add fd00:1::1/64 dev to-agents nodad
ip address add 10.2.0.1/24 dev to-servers
ip address add fd00:2::1/64 dev to-servers nodad
ip link set to-agents up
ip link set to-servers up
ip neighbour add 10.2.0.9 lladdr 02:00:00:00:00:09 dev to-servers
ip neighbour add fd00:2::9 lladdr 02:00:00:00:00:09 dev to-servers
"""
_SETUP_AGENTS = """
mount --bind {hosts} /etc/hosts
ip link set lo up
ip address add 10.1.0.2/24 dev eth0
ip address add fd00:1::2/64 dev eth0 nodad
ip link set eth0 up
ip route add default via 10.1.0.1
ip route add default via fd00:1::1
"""
_SETUP_SERVERS = """
ip link set lo up
ip address add 10.2.0.2/24 dev eth0
ip address add 10.2.0.3/24 dev eth0
ip address add fd00:2::2/64 dev eth0 nodad
ip address add fd00:2::3/64 dev eth0 nodad
ip link set eth0 up
ip route add default via 10.2.0.1
ip route add default via fd00:2::1
"""

_READY_SECONDS = 10.0


class Namespace:
    """Namespaces of the network and of mounts, which a process holds."""

    def __init__(self, within: "Namespace | None" = None) -> None:
        unshare = ["unshare", "--net", "--mount"]
        command = unshare + (["--user", "--map-root-user"] if within is None else [])
        outer = [] if within is None else within.entered()
        # It tells that it is inside.
        holder = ["sh", "-c", "echo && exec cat"]
        self._holder = subprocess.Popen(
            [*outer, *command, *holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"\n", "no namespace could be made"
        self.pid = self._holder.pid

    def entered(self) -> list[str]:
        """Return what runs a command inside, as a prefix of the command."""
        which = ["--user", "--net", "--mount", "--preserve-credentials"]
        return ["nsenter", f"--target={self.pid}", *which, "--wd=/"]

    def run(self, *command: str) -> str:
        """Run a command inside, which has to succeed; return its output."""
        done = subprocess.run(
            [*self.entered(), *command], check=False, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def lines(self, script: str) -> None:
        """Run the commands of a script, one in a line."""
        for line in filter(None, script.splitlines()):
            self.run(*line.split())

    def set(self, name: str, value: int) -> None:
        """Set a variable of the kernel, by its path below /proc/sys."""
        self.run("sh", "-c", f"echo {value} > /proc/sys/{name}")

    def close(self) -> None:
        """End the process that holds the namespaces."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()


class Network:
    """Agents and servers in networks of their own, with a router between them.

    Agents resolve the names in ``hosts``, a file of the form of /etc/hosts.
    """

    def __init__(self, folder: Path) -> None:
        self.hosts = folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")
        self.router = Namespace()
        self.agents, self.servers = Namespace(self.router), Namespace(self.router)
        pids = {"agents": self.agents.pid, "servers": self.servers.pid}
        self.router.lines(_SETUP_ROUTER.format(**pids))
        for forwarding in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            self.router.set(f"net/{forwarding}", 1)
        self.agents.lines(_SETUP_AGENTS.format(hosts=self.hosts))
        self.servers.lines(_SETUP_SERVERS)
        self._fetcher = subprocess.Popen(
            [*self.servers.entered(), sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT / "tests")},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._fetcher.stdin is not None
        assert self._fetcher.stdout is not None
        self._fetcher.stdin.close()
        self._fetcher.wait()
        self._fetcher.stdout.close()
        for namespace in (self.agents, self.servers, self.router):
            namespace.close()

    def resolve(self, names: Mapping[str, Sequence[str]]) -> None:
        """Let names have these addresses, in this order, and no other names any."""
        lines = (f"{address} {name}\n" for name, found in names.items() for address in found)
        self.hosts.write_text("".join(lines))

    def filter(self, *rule: str) -> None:
        """Run iptables and ip6tables on the router with the same arguments."""
        for command in ("iptables", "ip6tables"):
            self.router.run(command, *rule)

    def page(self, url: str) -> Page:
        """Return the exposition that is served in the network of the servers.

        Raises:
            OSError: when nothing answers.
        """
        asked_at = time.time()
        text = self._fetch(url)
        return parsed_page(text, asked_at, time.time())

    def _fetch(self, url: str) -> str:
        questions, answers = self._fetcher.stdin, self._fetcher.stdout
        assert questions is not None
        assert answers is not None
        questions.write(f"{url}\n".encode())
        questions.flush()
        length = int(answers.readline())
        if length < 0:
            raise OSError(f"{url} does not answer")
        return answers.read(length).decode()


def main(questions: IO[str], answers: IO[bytes]) -> None:
    """Fetch each URL of a line; write the length of the answer and the answer, or -1."""
    for line in questions:
        try:
            with urllib.request.urlopen(line.strip(), timeout=5) as response:
                text = response.read()
        except OSError:
            answers.write(b"-1\n")
        else:
            answers.write(b"%d\n%b" % (len(text), text))
        answers.flush()


if __name__ == "__main__":
    main(sys.stdin, sys.stdout.buffer)
