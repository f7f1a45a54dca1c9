"""The reference for ingest: a process that receives datagrams and does nothing with them.

Prints how many it received, as JSON, when it is asked to stop.
"""

import json
import signal
import socket
import sys
from time import sleep

from bench.harness.processes import Process


def loop(port: int) -> Process:
    """Start one that receives on a port, where an exporter would run."""
    process = Process(sys.executable, "-m", "bench.programs.bare", str(port), core=0)
    sleep(0.5)  # until it listens
    return process


def received(process: Process) -> int:
    """Stop it, and return how many datagrams came."""
    return int(json.loads(process.stop())["received"])


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
        while True:
            sock.recvfrom(2048)
            received += 1


if __name__ == "__main__":
    main()
