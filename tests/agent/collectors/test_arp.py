"""The collector ``arp``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import arp

ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
192.0.2.7        0x1         0x0         00:00:00:00:00:00     *        eth0
198.51.100.3     0x1         0x2         02:fc:00:00:00:07     *        br-1
"""


def test_entries_are_counted_by_interface() -> None:
    assert arp.parse_arp(File(ARP.encode())) == {b"eth0": 2, b"br-1": 1}
    assert arp.parse_arp(File(ARP.splitlines()[0].encode())) == {}
