"""Runs node_exporter and an agent in a network namespace that ``unshare`` has made for this.

It takes a folder and the flags of both, and writes their results to files in the folder:
``metrics``, and ``report`` with datagrams as JSON.
"""

import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path

METRICS, REPORT = "metrics", "report"

_SETUP = """\
ip link set lo up
ip link add veth0 type veth peer name veth1
ip link add veth2 type veth peer name veth3
ip address add 192.0.2.9/24 dev veth0
ip address add 198.51.100.2 peer 198.51.100.1/32 dev veth2
ip address add 2001:db8::9/64 dev veth2 nodad
ip link set veth0 up
ip link set veth1 up
ip link set veth2 up
ip link set veth3 up
ip neighbour add 192.0.2.77 lladdr 02:fc:00:00:00:07 dev veth0
ip route add default via 192.0.2.1 metric 100 proto static
ip route add 203.0.113.0/24 proto 186 nexthop via 192.0.2.1 weight 3 nexthop dev veth2 weight 20
ip route add 10.0.0.0/8 dev veth2 src 192.0.2.9 table 7
ip route add 2001:db8:7::/48 via 2001:db8::1 proto 77
ip route add blackhole 10.9.0.0/16
tc qdisc add dev veth0 root pfifo limit 7
tc qdisc add dev veth2 root bfifo
"""
_PORT = 9100
_TRIES = 50
_SECONDS = 10.0


def main(folder: Path, flags: list[str]) -> None:
    """Make the interfaces, run both programs, and write what they have found."""
    for line in _SETUP.splitlines():
        subprocess.run(line.split(), check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for size in range(10, 17):
            sending.sendto(bytes(size), ("192.0.2.77", 9))
    sysfs = folder / "sys"
    sysfs.mkdir()
    subprocess.run(["mount", "-t", "sysfs", "sysfs", sysfs], check=True)
    both = [*flags, f"--path.sysfs={sysfs}"]
    where = f"--web.listen-address=127.0.0.1:{_PORT}"
    theirs = [flag for flag in both if not flag.startswith("--name=")]
    with subprocess.Popen(["prometheus-node-exporter", where, *theirs]) as server:
        try:
            write_results(folder, both)
        finally:
            server.terminate()


def write_results(folder: Path, flags: list[str]) -> None:
    """Write the results once nothing has changed meanwhile."""
    own = [sys.executable, "-m", "pombo_agent", "--once", "--format=json"]
    connection = connected()
    for _ in range(_TRIES):
        before = metrics(connection)
        report = subprocess.run([*own, *flags], check=True, capture_output=True).stdout
        if series(metrics(connection)) == series(before):
            (folder / METRICS).write_bytes(before)
            (folder / REPORT).write_bytes(report)
            return
    raise AssertionError("the interfaces have not come to rest")


def connected() -> http.client.HTTPConnection:
    """Return a connection with node_exporter, once it listens."""
    deadline = time.monotonic() + _SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=_SECONDS)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return connection


def metrics(connection: http.client.HTTPConnection) -> bytes:
    """Return the exposition of node_exporter; the connection stays open, as a socket of TCP."""
    connection.request("GET", "/metrics")
    return connection.getresponse().read()


def series(exposition: bytes) -> list[bytes]:
    """Return the lines of an exposition that are about the host."""
    lines = exposition.split(b"\n")
    return [line for line in lines if line.startswith(b"node_") and b"node_scrape_" not in line]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
