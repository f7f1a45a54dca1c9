"""The agent and a real node_exporter in one network namespace, which has no other use.

What collectors ask the kernel by netlink or ioctl has no files that a fixture could contain. WiFi
has no such interface here; node_exporter's own tests read its answers from files, as of qdisc.
"""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support import in_namespace
from support.pages import Labels, Page, fetch_page, wait_until
from support.processes import ROOT, Exporter, Launcher, found

# Of processes too, since the agent reads the network of the first process.
_NAMESPACES = ("--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc")

_COLLECTORS = ("ethtool", "netdev", "network_route", "qdisc", "tcpstat", "wifi")

#: Flags by what they are about.
FLAGS = {
    "addresses": ["--collector.netdev.address-info"],
    "details": ["--collector.netdev.enable-detailed-metrics"],
    "no netlink": ["--no-collector.netdev.netlink"],
    "details without netlink": [
        "--collector.netdev.enable-detailed-metrics",
        "--no-collector.netdev.netlink",
    ],
    "one device": [
        "--collector.ethtool.device-include=^veth[01]$",
        "--collector.ethtool.metrics-include=^peer",
    ],
    "fixtures": ["--collector.qdisc.fixtures=FOLDER", "--collector.wifi.fixtures=FOLDER"],
}

#: Families that newer versions of node_exporter have.
NEWER = {f"node_wifi_station_{kind}_packets_total" for kind in ("received", "transmitted")}

_REQUEST_BYTES = 200  # more than a scrape has

#: The least series of each family, so that two collectors that have none are not taken for equal.
LEAST = {
    "addresses": {
        "node_ethtool_info": 4,
        "node_ethtool_peer_ifindex": 4,
        "node_network_address_info": 6,
        "node_network_route_info": 8,
        "node_network_routes": 2,
        "node_network_receive_bytes_total": 4,
        "node_qdisc_bytes_total": 2,
        "node_tcp_connection_states": 3,
    },
    "details": {"node_network_receive_crc_errors_total": 4},
    "details without netlink": {"node_network_receive_dropped_total": 4},
    "no netlink": {"node_network_receive_drop_total": 4},
    "one device": {"node_ethtool_peer_ifindex": 2},
    "fixtures": {"node_qdisc_backlog": 1, "node_wifi_station_signal_dbm": 2},
}

_POINT = {"SSID": "café", "BSSID": "AvwAAAAH", "Status": 1}
_STATION = {
    "HardwareAddr": "AvwAAAAI",
    "Connected": 30 * 10**9,
    "Inactive": 4 * 10**8,
    "ReceivedBytes": 2**33,
    "TransmittedBytes": 77,
    "ReceiveBitrate": 128000000,
    "TransmitBitrate": 14400000,
    "Signal": -52,
    "TransmitRetries": 10,
    "TransmitFailed": 2,
    "BeaconLoss": 1,
}
FILES = {
    "results.json": [
        {"IfaceName": "wlan0", "Parent": 0, "Kind": "fq", "Bytes": 42, "Packets": 41, "Qlen": 1},
        {"IfaceName": "eth0", "Parent": 7, "Kind": "fq", "Bytes": 83, "Packets": 83},
    ],
    "interfaces.json": [
        {"Index": 3, "Name": "wlan0", "Frequency": 2412},
        {"Index": 4, "Name": "wlan1", "Frequency": 5180},
        {"Index": 5, "Name": "", "Frequency": 0},
    ],
    "wlan0/bss.json": _POINT,
    "wlan0/stationinfo.json": [_STATION, {**_STATION, "HardwareAddr": "AvwAAAAJ", "Signal": -7}],
    "wlan1/bss.json": {**_POINT, "SSID": "at home", "Status": 2},
}


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    return start_once.exporter()


@pytest.fixture(scope="module", params=FLAGS)
def both(
    request: pytest.FixtureRequest, exporter: Exporter, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Page, Page]:
    """Return the name of flags, and the expositions of node_exporter and of Pombo with them."""
    found("prometheus-node-exporter")
    name: str = request.param
    folder: Path = tmp_path_factory.mktemp("namespace")
    for path, content in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content), encoding="ascii")
    flags = (
        f"--name={name}",
        "--collector.disable-defaults",
        *(f"--collector.{collector}" for collector in _COLLECTORS),
        "--collector.netdev.device-exclude=^lo$",  # the scrape itself uses it
        *(flag.replace("FOLDER", str(folder)) for flag in FLAGS[name]),
    )
    inside = [sys.executable, "-m", "support.in_namespace", str(folder), *flags]
    subprocess.run(["unshare", *_NAMESPACES, *inside], check=True, cwd=ROOT / "tests")
    datagrams = (folder / in_namespace.REPORT).read_bytes().splitlines()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for datagram in datagrams:
            sending.sendto(datagram, ("127.0.0.1", exporter.port))
    received = "pombo_host_datagrams_received_total"
    ours = wait_until(
        exporter.page,
        lambda page: page.value(received, instance=name) == len(datagrams),
        "the agent's report",
    )
    return name, fetch_page((folder / in_namespace.METRICS).as_uri()), ours


def families(page: Page) -> set[str]:
    """Return the names of the families about the host."""
    names = re.findall(r"^# TYPE (node_\w+) ", page.text, re.MULTILINE)
    return {name for name in names if not name.startswith(("node_scrape_", "node_exporter_"))}


def test_families_and_values_are_those_of_node_exporter(both: tuple[str, Page, Page]) -> None:
    name, theirs, ours = both
    expected = {family: without_empty(theirs.rows(family)) for family in families(theirs)}
    shown = {
        family: without_empty(rows)
        for family in families(ours) - NEWER
        if (rows := ours.rows(family, instance=name))
    }
    # The request of the scrape is in a queue until its receiver has answered.
    queued = frozenset({("state", "tx_queued_bytes")})
    states = "node_tcp_connection_states"
    request = expected[states].pop(queued) - shown[states].pop(queued)
    assert 0 <= request < _REQUEST_BYTES
    for family, rows in expected.items():
        assert shown.get(family) == rows, family
    assert shown.keys() == expected.keys()
    assert all(len(expected[family]) >= count for family, count in LEAST[name].items())


def without_empty(rows: dict[Labels, float]) -> dict[Labels, float]:
    """Return samples without empty labels, as Prometheus stores them."""
    return {frozenset(pair for pair in labels if pair[1]): value for labels, value in rows.items()}


@pytest.mark.parametrize("kind", ["TYPE", "HELP"])
def test_families_have_the_same_types_and_help(both: tuple[str, Page, Page], kind: str) -> None:
    line = re.compile(rf"^# {kind} (node_\w+) (.+)$", re.MULTILINE)
    _, *pages = both
    wanted, shown = (dict(line.findall(page.text)) for page in pages)
    names = families(pages[0])
    assert {name: shown.get(name) for name in names} == {name: wanted[name] for name in names}
