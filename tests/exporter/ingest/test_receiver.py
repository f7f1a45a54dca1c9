"""Real sockets: both kinds of address, and the receive buffer."""

import logging
import socket
from pathlib import Path

import pytest
from pombo_cli.flags import Address
from pombo_exporter.ingest import receiver
from support.udp import LOOPBACK, drained, listening, send


@pytest.mark.parametrize("host", ["::", ""])
def test_socket_on_every_address_takes_both_kinds(host: str) -> None:
    with listening(host) as sock:
        send(sock, b"four")
        send(sock, b"six", family=socket.AF_INET6)
        assert drained(sock) == [b"four", b"six"]


def test_socket_on_one_address_takes_its_kind() -> None:
    for family, host in LOOPBACK.items():
        with listening(host) as sock:
            assert sock.getsockname()[0] == host
            send(sock, b"here", family=family)
            assert drained(sock) == [b"here"]


def test_address_in_use_is_an_error() -> None:
    with listening() as sock, pytest.raises(OSError, match="in use"):
        receiver.bind(Address(*sock.getsockname()), 100_000)


def test_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        receiver.bind(Address("192.0.2.1", 0), 100_000)


# --- the receive buffer ---


def test_buffer_is_as_large_as_was_asked_for() -> None:
    with listening(buffer=65_536) as sock:
        assert receiver.buffer_bytes(sock) == 65_536


def test_smaller_buffer_than_wanted_is_told_with_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    most = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
    with caplog.at_level(logging.WARNING):
        with listening(buffer=most):
            assert caplog.records == []
        with listening(buffer=2 * most) as sock:
            granted = receiver.buffer_bytes(sock)
    (record,) = caplog.records
    assert vars(record)["fields"] == {
        "wanted": 2 * most,
        "granted": granted,
        "remedy": f"sysctl -w net.core.rmem_max={2 * most}",
    }
    assert granted == most
