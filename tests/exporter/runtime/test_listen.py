"""Real sockets: both kinds of address, the errors with their remedies, and the receive buffer."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_cli.flags import Address
from pombo_exporter.ingest.drain import Take, drain
from pombo_exporter.runtime import listen
from pombo_exporter.runtime.replying import ReplyingSocket
from support import no_ipv6
from support.udp import LOOPBACK, drained, listening, send

KINDS = pytest.mark.parametrize(
    "kind", [lambda address: listen.udp(address, 4096), listen.tcp], ids=["udp", "tcp"]
)

Kind = Callable[[Address], socket.socket]


@pytest.mark.parametrize("host", ["::", ""])
def test_socket_on_all_addresses_takes_both_kinds(host: str) -> None:
    with listening(host) as sock:
        send(sock, b"four")
        send(sock, b"six", family=socket.AF_INET6)
        assert drained(sock) == [b"four", b"six"]
    with listen.tcp(Address(host, 0)) as sock:
        for family, loopback in LOOPBACK.items():
            with socket.socket(family) as client:
                client.connect((loopback, sock.getsockname()[1]))


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("::", "127.0.0.9"),  # one of the many of the loopback interface, and not the first
        ("::", "::1"),
        ("0.0.0.0", "127.0.0.9"),
        ("127.0.0.9", "127.0.0.9"),
    ],
)
def test_answer_comes_from_the_address_that_was_asked(host: str, asked: str) -> None:
    family = socket.AF_INET6 if ":" in asked else socket.AF_INET
    with (
        listen.udp(Address(host, 0), 4096, answers=True) as sock,
        socket.socket(family, socket.SOCK_DGRAM) as client,
        socket.socket(family, socket.SOCK_DGRAM) as other,
    ):
        client.settimeout(10)
        for _ in range(2):
            for each in (other, client):
                each.connect((asked, sock.getsockname()[1]))  # takes nothing of another address
                each.send(b"asks")
                drain(sock, answer_on(sock))
            assert client.recv(9) == b"ASKS"


def answer_on(sock: socket.socket) -> Take:
    """Return what answers a datagram with its capitals."""
    send = sock.answer if isinstance(sock, ReplyingSocket) else sock.sendto

    def take(datagram: bytes, address: tuple[str | int, ...]) -> None:
        send(datagram.upper(), address)

    return take


@KINDS
@pytest.mark.parametrize("family", LOOPBACK)
def test_socket_on_one_address_takes_its_kind(kind: Kind, family: socket.AddressFamily) -> None:
    with kind(Address(LOOPBACK[family], 0)) as sock:
        assert sock.family == family
        assert sock.getsockname()[0] == LOOPBACK[family]


@KINDS
def test_name_is_its_ipv4_address(kind: Kind) -> None:
    with kind(Address("localhost", 0)) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_port_of_an_exporter_that_ended_can_be_listened_on_at_once() -> None:
    with listen.tcp(Address("127.0.0.1", 0)) as sock:
        address = sock.getsockname()
        sock.setblocking(True)  # noqa: FBT003 - the socket's own way
        with socket.create_connection(address):
            sock.accept()[0].close()  # this end goes first, and into TIME_WAIT
    listen.tcp(Address(*address)).close()


# --- errors ---


@KINDS
def test_address_in_use(kind: Kind) -> None:
    with kind(Address("127.0.0.1", 0)) as sock, pytest.raises(listen.ListenError) as raised:
        kind(Address(*sock.getsockname()))
    assert raised.value.reason == "Address already in use"
    assert raised.value.remedy == "end what listens there, or give another address"
    assert raised.value.kind == sock.type


@KINDS
def test_address_of_another_machine(kind: Kind) -> None:
    with pytest.raises(listen.ListenError) as raised:
        kind(Address("192.0.2.1", 0))
    assert raised.value.reason == "Cannot assign requested address"
    assert raised.value.remedy == "give an address of this machine, or [::] for all of them"


@KINDS
@pytest.mark.parametrize("host", ["no.such.name.invalid", "l" * 64 + ".invalid", "two..dots"])
def test_unknown_name(kind: Kind, host: str) -> None:
    with pytest.raises(listen.ListenError) as raised:
        kind(Address(host, 0))
    assert raised.value.reason
    assert raised.value.remedy == "give a name that this machine resolves, or an IP address"


def ran(command: list[str], program: str) -> list[str]:
    """Return the lines that a Python program writes which a command runs."""
    start = "from pombo_cli.flags import Address\nfrom pombo_exporter.runtime import listen\n"
    done = subprocess.run(
        [*command, sys.executable, "-c", start + program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


#: What makes a network of its own; who is not root becomes root within it.
NETWORK = ["unshare", "--net", *([] if os.getuid() == 0 else ["--user", "--map-root-user"])]

ERRORS = """
for kind in (lambda address: listen.udp(address, 4096), listen.tcp):
    try:
        kind(Address({host!r}, {port}))
    except listen.ListenError as error:
        print(error.reason, error.remedy, sep="; ")
"""


def test_port_that_needs_a_privilege() -> None:
    unprivileged = [*NETWORK, "setpriv", "--bounding-set=-net_bind_service"]
    lines = ran(unprivileged, ERRORS.format(host="", port=80))
    remedy = "give a port above 1023, or grant the capability CAP_NET_BIND_SERVICE"
    assert lines == [f"Permission denied; {remedy}"] * 2


# --- without IPv6 ---

FOUR = """
import socket
with listen.udp(Address("::", 0), 4096) as sock, socket.socket(type=socket.SOCK_DGRAM) as client:
    client.sendto(b"four", ("127.0.0.1", sock.getsockname()[1]))
    print(sock.recv(99).decode())
with listen.tcp(Address("::", 0)) as sock:
    socket.create_connection(("127.0.0.1", sock.getsockname()[1])).close()
    print(sock.family.name)
"""


def test_kernel_without_ipv6_listens_on_all_addresses_of_ipv4() -> None:
    assert ran(no_ipv6.COMMAND, FOUR) == ["four", "AF_INET"]
    remedy = "give an IPv4 address: this machine has no IPv6"
    lines = ran(no_ipv6.COMMAND, ERRORS.format(host="::1", port=0))
    assert lines == [f"Address family not supported by protocol; {remedy}"] * 2


def test_network_without_ipv6_listens_on_all_addresses_of_ipv4() -> None:
    setup = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"
    path = "PATH=$PATH:/usr/sbin:/sbin"
    network = [*NETWORK, "sh", "-c", f'{path}; {setup} && exec "$@"', "sh"]
    assert ran(network, FOUR) == ["four", "AF_INET6"]  # a socket of IPv6 takes IPv4, too
    remedy = "give an address of this machine, or [::] for all of them"
    lines = ran(network, ERRORS.format(host="::1", port=0))
    assert lines == [f"Cannot assign requested address; {remedy}"] * 2


# --- the receive buffer ---


def test_buffer_is_as_large_as_was_asked_for() -> None:
    with listening(buffer=65_536) as sock:
        assert listen.buffer_bytes(sock) == 65_536


def test_smaller_buffer_than_wanted_is_logged_with_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    most = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
    with caplog.at_level(logging.WARNING):
        with listening(buffer=most):
            assert caplog.records == []
        with listening(buffer=2 * most) as sock:
            granted = listen.buffer_bytes(sock)
    (record,) = caplog.records
    assert vars(record)["fields"] == {
        "wanted": 2 * most,
        "granted": granted,
        "remedy": f"sysctl -w net.core.rmem_max={2 * most}",
    }
    assert granted == most
