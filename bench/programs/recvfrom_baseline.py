"""The reference for ingest: a process that receives datagrams and discards them.

When it is stopped, it prints JSON: how many it received.
"""

import json
import signal
import socket
import sys

from support.pages import wait_until

from bench.harness.processes import Process

_PROGRAM = "bench.programs.recvfrom_baseline"


def start(port: int) -> Process:
    """Start it on a port and on the exporter's core; return it once it listens."""
    process = Process(sys.executable, "-m", _PROGRAM, str(port), core=0)
    wait_until(lambda: process.log, bool, "a receive loop that listens")
    return process


def main() -> None:
    """Receive on the port that the command line gives, until SIGTERM."""
    received = 0

    def stop(*_: object) -> None:
        json.dump({"received": received}, sys.stdout)
        sys.stdout.flush()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", int(sys.argv[1])))
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while True:
            sock.recvfrom(2048)
            received += 1


if __name__ == "__main__":
    main()
