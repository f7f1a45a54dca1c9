"""Other servers with as many series as an exposition has, to compare scrapes with."""

import re
import shutil
import socket
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from support.processes import free_port

from bench.harness import processes
from bench.harness.processes import Process

_SAMPLE = re.compile(rb'^(node_\w+)\{(.*?)instance="([^"]*)"(.*)\} (\S+)$', re.MULTILINE)
_UNNAMED = re.compile(r"[^a-zA-Z0-9]+")
_NAME_LENGTH = 120  # of a plugin with its instance; collectd refuses 128
_CONFIG = """
Interval 3600
PIDFile "{folder}/pid"
ReadThreads 1
WriteThreads 1
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "{folder}/socket"
  DeleteSocket true
</Plugin>
LoadPlugin write_prometheus
<Plugin write_prometheus>
  Host "127.0.0.1"
  Port "{port}"
  StalenessDelta 3600
</Plugin>
"""


@contextmanager
def pushgateway(page: bytes) -> Iterator[tuple[Process, int]]:
    """Run Debian's Pushgateway with the samples of a page; yield it and its port.

    Each host is a group of its own, like hosts that push.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        flags = (f"--web.listen-address=127.0.0.1:{port}", "--push.disable-consistency-check")
        store = f"--persistence.file={Path(folder) / 'store'}"
        with Process("prometheus-pushgateway", *flags, store, core=0) as process:
            processes.wait_until_served(port)
            for host, lines in _by_host(page).items():
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/metrics/job/bench/instance/{host}",
                    data=b"\n".join([*lines, b""]),
                    method="PUT",
                )
                urllib.request.urlopen(request, timeout=120).close()  # noqa: S310 - our own address
            yield process, port


def _by_host(page: bytes) -> dict[str, list[bytes]]:
    """Return the samples of each host on a page, each family's type first."""
    hosts: dict[str, list[bytes]] = defaultdict(list)
    for family in page.split(b"# HELP ")[1:]:
        kind = b"# TYPE" + family.partition(b"# TYPE")[2].partition(b"\n")[0]
        ours: dict[str, list[bytes]] = defaultdict(lambda: [kind])  # noqa: B023 - used up here
        for sample in _SAMPLE.finditer(family):
            ours[sample[3].decode()].append(sample[0])
        for host, lines in ours.items():
            hosts[host] += lines
    return hosts


@contextmanager
def collectd(page: bytes) -> Iterator[tuple[Process, int]]:
    """Run Debian's collectd with the samples of a page, one series each; yield it and its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "collectd.conf"
        config.write_text(_CONFIG.format(folder=folder, port=port), encoding="utf-8")
        with Process("collectd", "-f", "-C", str(config), core=0) as process:
            processes.wait_until_served(port, "/metrics")
            _put(Path(folder) / "socket", page)
            _wait_until_written(port)
            yield process, port


def _put(path: Path, page: bytes) -> None:
    """Write the samples to collectd's socket, one by one."""
    with socket.socket(socket.AF_UNIX) as sock:
        deadline = monotonic() + 10
        while sock.connect_ex(str(path)):
            if monotonic() > deadline:
                raise TimeoutError(f"collectd does not listen on {path}")
            sleep(0.05)
        with sock.makefile("rwb") as stream:
            for family, before, host, after, value in _SAMPLE.findall(page):
                row = _UNNAMED.sub("_", (before + after).decode())
                plugin = f"{family.decode()}-{row}"[:_NAME_LENGTH]
                name = f"{host.decode()}/{plugin}/gauge"
                stream.write(f'PUTVAL "{name}" interval=3600 N:{value.decode()}\n'.encode())
                stream.flush()
                answer = stream.readline()
                if not answer.startswith(b"0 "):
                    raise RuntimeError(f"collectd does not take {name}: {answer.decode()}")


def _wait_until_written(port: int) -> None:
    """Return once the exposition stops growing: collectd takes values and writes them later."""
    lines = -1
    while lines < (lines := processes.get(port).count(b"\n")):
        sleep(1)


@dataclass(frozen=True)
class Peer:
    """A server: its name, Debian packages and command, how to run it, and its samples' names."""

    name: str
    packages: str
    command: str
    run: Callable[[bytes], AbstractContextManager[tuple[Process, int]]]
    prefix: bytes

    @property
    def installed(self) -> bool:
        """Whether its command is there."""
        return shutil.which(self.command) is not None


PEERS = (
    Peer(
        "the Pushgateway (Go)",
        "prometheus-pushgateway",
        "prometheus-pushgateway",
        pushgateway,
        b"node_",
    ),
    Peer(
        "collectd's write_prometheus (C)",
        "collectd-core libmicrohttpd12 libprotobuf-c1",
        "collectd",
        collectd,
        b"collectd_node_",
    ),
)
