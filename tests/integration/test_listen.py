"""Where the exporter listens, and what it says when it cannot."""

import pytest
from support import no_ipv6
from support.pages import fetch_page, wait_until
from support.processes import BIN, Launcher, free_port
from support.senders import Sender, steady


def test_exporter_with_its_default_host_serves_over_ipv4_where_there_is_no_ipv6(
    start: Launcher,
) -> None:
    port = free_port()
    flags = [f"--{name}.listen-address=[::]:{port}" for name in ("udp", "web")]
    exporter = start.program(*no_ipv6.COMMAND, str(BIN / "pombo-exporter"), *flags)
    url = f"http://127.0.0.1:{port}/metrics"
    wait_until(lambda: fetch_page(url), bool, "the first page")
    with Sender("pi", port) as sender:
        sender.report(1000, *steady(1000))
    wait_until(lambda: fetch_page(url).value("pombo_host_up", instance="pi"), bool, "the host")
    assert f"udp=0.0.0.0:{port} web=0.0.0.0:{port}" in exporter.log


@pytest.mark.parametrize("flag", ["udp", "web"])
@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("192.0.2.1", "give an address of this machine, or [::] for all of them"),
        ("no.such.name.invalid", "give a name that this machine resolves, or an IP address"),
    ],
)
def test_exporter_that_cannot_listen_says_what_to_do_and_ends_with_1(
    flag: str, host: str, remedy: str, start: Launcher
) -> None:
    other = {"udp": "web", "web": "udp"}[flag]
    port = free_port()
    exporter = start.program(
        str(BIN / "pombo-exporter"),
        f"--{flag}.listen-address={host}:{port}",
        f"--{other}.listen-address=127.0.0.1:{port}",
    )
    assert exporter.ended() == 1
    (line,) = exporter.log.splitlines()
    assert f'msg="cannot listen" flag=--{flag}.listen-address value={host}:{port}' in line
    assert line.endswith(f'remedy="{remedy}"')
