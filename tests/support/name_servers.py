"""A name server, whose records the test sets; and lookups by an agent in a network with one."""

import json
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from support.processes import ROOT

#: The longest answer over UDP; a client asks again over TCP where one is longer.
_MOST_UDP_BYTES = 512


class NameServer(Thread):
    """Answers with the records of a name and a type, or that there is none.

    From each answer, ``cut`` bytes are left out at the end.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 53) -> None:
        super().__init__(daemon=True)
        self._tcp = socket.create_server((host, port))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((host, port))
        self._closing = Event()
        self._records: dict[tuple[str, str], Sequence[str]] = {}
        self.cut = 0

    def set(self, name: str, kind: str, *records: str) -> None:
        """Let a name have these records of a type, each in the form of a zone file."""
        self._records[name, kind] = records

    def clear(self) -> None:
        """Let no name have records."""
        self._records.clear()

    def run(self) -> None:
        """Answer until ``close``."""
        while not self._closing.is_set():
            for ready in select.select([self._udp, self._tcp], [], [], 0.05)[0]:
                if ready is self._udp:
                    question, address = self._udp.recvfrom(4096)
                    self._udp.sendto(self._answer(question, _MOST_UDP_BYTES), address)
                else:
                    self._answer_over_tcp()
        self._udp.close()
        self._tcp.close()

    def close(self) -> None:
        """Stop."""
        self._closing.set()
        self.join()

    def _answer_over_tcp(self) -> None:
        with self._tcp.accept()[0] as client, client.makefile("rwb") as stream:
            [length] = struct.unpack("!H", stream.read(2))
            answer = self._answer(stream.read(length), 65_535)
            stream.write(struct.pack("!H", len(answer)) + answer)

    def _answer(self, datagram: bytes, most: int) -> bytes:
        asked = dns.message.from_wire(datagram)
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.AA | dns.flags.RA
        [question] = asked.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        if records := self._records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(question.name, 5, "IN", kind, *records))
        elif not any(each == name for each, _ in self._records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        data = answer.to_wire(max_size=65_535)
        if len(data) > most:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            data = answer.to_wire()
        return data[: len(data) - self.cut]


def srv_targets(folder: Path, *zones: Mapping[str, Any]) -> list[list[str]]:
    """Return what an agent's lookup of SRV records has found, for each zone.

    A zone has the ``name`` that is looked up, its ``records`` by their type, and perhaps ``cut``.
    The records are ``of`` that name, or of another; the search domain is example.test. The lookups
    are in a network of their own, whose one name server has the records.
    """
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\nsearch example.test\noptions timeout:1 attempts:1\n")
    script = f'ip link set lo up && mount --bind {resolv} /etc/resolv.conf && exec "$@"'
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", script, "sh"),
            *(sys.executable, "-m", "support.name_servers"),
        ],
        input=json.dumps(zones),
        env={"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def main(zones: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the targets of each zone as texts, or the text of the error."""
    from pombo_agent.transport.srv import targets  # noqa: PLC0415 - as agents import it

    names = NameServer()
    names.start()
    found: list[list[str]] = []
    for zone in zones:
        names.clear()
        for kind, records in zone["records"].items():
            names.set(zone.get("of", zone["name"]), kind, *records)
        names.cut = zone.get("cut", 0)
        try:
            found.append([*map(str, targets(zone["name"]))])
        except OSError as error:
            found.append([str(error)])
    names.close()
    return found


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
