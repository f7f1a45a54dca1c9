"""The datagrams that ``pombo-agent --once`` prints are accepted when they are sent with nc."""

import subprocess

from support.pages import wait_until
from support.processes import BIN, Launcher, found


def test_printed_datagrams_sent_with_nc_are_accepted(start: Launcher) -> None:
    agent = [str(BIN / "pombo-agent"), "--once", "--format=json", "--name=by hand"]
    printed = subprocess.run(agent, capture_output=True, check=True, timeout=60)
    assert printed.stderr == b""
    datagrams = printed.stdout.splitlines()
    exporter = start.exporter()
    for datagram in datagrams:
        nc = [found("nc"), "-u", "-w1", "127.0.0.1", str(exporter.port)]
        subprocess.run(nc, input=datagram, check=True, timeout=10)
    exposition = wait_until(
        exporter.page,
        lambda exposition: (
            exposition.value("pombo_exporter_datagrams_received_total") == len(datagrams)
        ),
        "every datagram",
    )
    assert sum(exposition.rows("pombo_exporter_datagrams_refused_total").values()) == 0
    assert exposition.value("pombo_host_up", instance="by hand") == 1
    assert exposition.value("pombo_host_datagrams_received_total", instance="by hand") == len(
        datagrams
    )
    assert exposition.value("host_memory_total_bytes", instance="by hand")
    assert exposition.value("node_boot_time_seconds", instance="by hand")
