"""The collector ``netstat``."""

import re
from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import netstat
from pombo_agent.collectors.netstat import Fields
from pombo_agent.options import COLLECTORS
from support.collectors import flags_of

WriteFiles = Callable[[Path, dict[str, str]], Path]


SNMP = """\
Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 114556
Tcp: RtoAlgorithm MaxConn CurrEstab InErrs RetransSegs
Tcp: 1 -1 8 5 4
UdpLite: InDatagrams InErrors
UdpLite: 9 6
"""


SNMP6 = """\
Ip6InReceives                   \t123
Ip6InOctets                     \t41234
Icmp6InMsgs                     \t3
Icmp6InErrors                   \t1
Udp6NoPorts                     \t2
UdpLite6InErrors                \t7
"""


BY_DEFAULT = Fields(re.compile(netstat.FLAGS[0].default))


def test_fields_are_those_that_node_exporter_has_by_default() -> None:
    assert netstat.parse_snmp(File(SNMP.encode()), BY_DEFAULT) == {
        "Ip_Forwarding": 2,
        "Tcp_CurrEstab": 8,
        "Tcp_InErrs": 5,
        "Tcp_RetransSegs": 4,
        "UdpLite_InErrors": 6,
    }
    assert netstat.parse_snmp6(File(SNMP6.encode()), BY_DEFAULT) == {
        "Ip6_InOctets": 41234,
        "Icmp6_InMsgs": 3,
        "Icmp6_InErrors": 1,
        "Udp6_NoPorts": 2,
        "UdpLite6_InErrors": 7,
    }


def test_host_without_ipv6_has_no_counts_of_it(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    procfs = write_files(tmp_path, {"1/net/snmp": SNMP, "1/net/netstat": ""})
    flags = flags_of(COLLECTORS["netstat"])
    (section,) = netstat.collect(this_machine._replace(procfs=procfs, flags=flags))
    assert dict(zip(section.values, section.cells, strict=True)) == netstat.parse_snmp(
        File(SNMP.encode()), BY_DEFAULT
    )


def test_fields_are_those_that_the_user_wants() -> None:
    wanted = Fields(re.compile("^Tcp_|6_In"))
    for _ in range(2):  # names are remembered
        assert netstat.parse_snmp(File(SNMP.encode()), wanted) == {
            "Tcp_RtoAlgorithm": 1,
            "Tcp_CurrEstab": 8,
            "Tcp_InErrs": 5,
            "Tcp_RetransSegs": 4,
        }
        assert netstat.parse_snmp6(File(SNMP6.encode()), wanted) == {
            "Ip6_InReceives": 123,
            "Ip6_InOctets": 41234,
            "Icmp6_InMsgs": 3,
            "Icmp6_InErrors": 1,
            "UdpLite6_InErrors": 7,
        }
