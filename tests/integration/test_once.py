"""What ``pombo-agent --once`` prints, sent by hand, is a report like any other."""

import subprocess

from support.pages import wait_until
from support.processes import BIN, Launcher, found


def test_printed_datagrams_sent_with_nc_are_taken(start: Launcher) -> None:
    agent = [str(BIN / "pombo-agent"), "--once", "--format=json", "--name=by hand"]
    printed = subprocess.run(agent, capture_output=True, check=True, timeout=60)
    assert printed.stderr == b""
    datagrams = printed.stdout.splitlines()
    exporter = start.exporter()
    for datagram in datagrams:
        nc = [found("nc"), "-u", "-w1", "127.0.0.1", str(exporter.port)]
        subprocess.run(nc, input=datagram, check=True, timeout=10)
    page = wait_until(
        exporter.page,
        lambda page: page.value("pombo_exporter_datagrams_received_total") == len(datagrams),
        "every datagram",
    )
    assert sum(page.rows("pombo_exporter_datagrams_refused_total").values()) == 0
    assert page.value("pombo_host_up", instance="by hand") == 1
    assert page.value("pombo_host_datagrams_received_total", instance="by hand") == len(datagrams)
    assert page.value("host_memory_total_bytes", instance="by hand")
    assert page.value("node_boot_time_seconds", instance="by hand")
