"""The network traffic of a host: its own links count, each byte once."""

from typing import Any

import pytest
from pombo_exporter.views import describe
from pombo_exporter.views.links import is_own_link
from pombo_exporter.views.schema import HostSummary
from pombo_wire import Networks
from support.builders import Agent

OWN = (
    *("eth0", "eth10", "ens3", "enp0s31f6", "eno1", "enp0s3f0np0", "wlan0", "wlp2s0", "wwan0"),
    *("em1", "p1p1", "usb0", "ib0", "lan", "wan", "brown", "bonding", "en0", "venet0", "tel0"),
    *("enx001122334455", "docker", "x" * 200),
)
OVER_OTHERS = (
    *("lo", "docker0", "br-5f1c2a3b4d5e", "br0", "virbr0", "vmbr0", "lxdbr0", "cni0", "bond0"),
    *("team0", "eth0.10", "bond0.200", "vlan7", "veth12ab34", "vnet3", "tap100i0", "fwbr100i0"),
    *("cali0a1b2c3d4e5", "cilium_host", "lxc3f4a", "flannel.1", "wg0", "tun0", "tailscale0"),
    *("ztks54inm2", "ppp0", "sit0", "gre0", "ip6tnl0", "vxlan.calico", "ifb0", "dummy0"),
    *("ovs-system", "macvlan0", "kube-ipvs0", "utun3"),
)


@pytest.mark.parametrize("device", OWN)
def test_link_counts(device: str) -> None:
    assert is_own_link(device)


@pytest.mark.parametrize("device", OVER_OTHERS)
def test_interface_over_links_does_not_count(device: str) -> None:
    assert not is_own_link(device)


def summary(*devices: str) -> HostSummary:
    """Return the summary of a host each of whose interfaces receives 10 bytes a second."""
    agent = Agent()
    for _ in range(2):
        count = (10 * agent.exporter.now,) * len(devices)
        sent = tuple(each / 10 for each in count)
        agent.send(networks=Networks(devices, receive_bytes=count, transmit_bytes=sent))
        agent.exporter.wait(1)
    [found] = describe.summaries([agent.exporter.host(agent.host)], agent.exporter.now)
    return found


@pytest.mark.parametrize(
    ("devices", "links"),
    [
        (("lo", "eth0", "docker0", "br-1a2b3c", "veth1a2b3c", "veth4d5e6f"), 1),
        (("lo", "eno1", "eno2", "bond0", "bond0.10", "vmbr0", "tap100i0", "fwbr100i0"), 2),
        (("lo", "eth0", "wg0", "tailscale0", "tun0"), 1),
        (("lo", "venet0"), 1),
        (("lo", "tun0"), 1),  # it has no link of its own, but something to say
        (("lo", "veth0", "veth1"), 2),
    ],
)
def test_traffic_is_that_of_the_links(devices: Any, links: int) -> None:
    found = summary(*devices)
    assert found.network_receive_bytes_per_second == pytest.approx(10 * links)
    assert found.network_transmit_bytes_per_second == pytest.approx(links)


def test_traffic_of_the_loopback_alone_is_unknown() -> None:
    assert summary("lo").network_receive_bytes_per_second is None
