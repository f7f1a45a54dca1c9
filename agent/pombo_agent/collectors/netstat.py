"""Network protocols: counts of IP, ICMP, TCP and UDP."""

import re
from itertools import pairwise

from pombo_wire import Part

from pombo_agent.collectors.sources import Sources, read_as_init, read_optional_as_init

# The counts that node_exporter has by default, by protocol, of some four hundred.
_FIELDS = {
    "Ip": {"Forwarding"},
    "Ip6": {"InOctets", "OutOctets"},
    "IpExt": {"InOctets", "OutOctets"},
    "Icmp": {"InMsgs", "OutMsgs"},
    "Icmp6": {"InMsgs", "OutMsgs"},
    "Tcp": {
        "ActiveOpens",
        "CurrEstab",
        "InSegs",
        "OutRsts",
        "OutSegs",
        "PassiveOpens",
        "RetransSegs",
    },
    "TcpExt": {
        "ListenDrops",
        "ListenOverflows",
        "SyncookiesFailed",
        "SyncookiesRecv",
        "SyncookiesSent",
        "TCPOFOQueue",
        "TCPRcvQDrop",
        "TCPSynRetrans",
        "TCPTimeouts",
    },
}
_FIELDS["Udp"] = _FIELDS["Udp6"] = {
    "InDatagrams",
    "NoPorts",
    "OutDatagrams",
    "RcvbufErrors",
    "SndbufErrors",
}
_FIELDS_OF_ALL = {"InErrors", "InErrs"}

_IPV6_NAME = re.compile(r"([^6]+6)(.+)")


def collect(sources: Sources) -> list[Part]:
    """Return the ``netstat`` section."""
    counts = parse_snmp(read_as_init(sources.procfs, "net/snmp"))
    counts |= parse_snmp(read_as_init(sources.procfs, "net/netstat"))
    # Absent where IPv6 is off.
    counts |= parse_snmp6(read_optional_as_init(sources.procfs, "net/snmp6") or "")
    return [("netstat", counts)]


def parse_snmp(text: str) -> dict[str, int]:
    """Return the counts in ``_FIELDS`` of ``/proc/net/snmp`` or ``netstat``, as ``Tcp_InSegs``.

    Each protocol has a line of names, followed by a line of values.
    """
    found = {}
    for names, values in list(pairwise(text.splitlines()))[::2]:
        protocol, _, rest = names.partition(": ")
        fields = _FIELDS.get(protocol, set()) | _FIELDS_OF_ALL
        for name, value in zip(rest.split(), values.split()[1:], strict=True):
            if name in fields:
                found[f"{protocol}_{name}"] = int(value)
    return found


def parse_snmp6(text: str) -> dict[str, int]:
    """Return the counts in ``_FIELDS`` of ``/proc/net/snmp6``, as ``Ip6_InOctets``."""
    found = {}
    for line in text.splitlines():
        name, value = line.split()
        if split := _IPV6_NAME.fullmatch(name):
            protocol, field = split.groups()
            if field in _FIELDS.get(protocol, set()) | _FIELDS_OF_ALL:
                found[f"{protocol}_{field}"] = int(value)
    return found
