"""Network protocols: what the kernel counts of IP, ICMP, TCP and UDP."""

import re
from itertools import pairwise

from pombo_wire import Part

from pombo_agent.collectors.sources import Sources, read_as_init, read_optional_as_init

# Of some four hundred counts those that node_exporter shows by default, by protocol.
_WANTED = {
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
_WANTED["Udp"] = _WANTED["Udp6"] = {
    "InDatagrams",
    "NoPorts",
    "OutDatagrams",
    "RcvbufErrors",
    "SndbufErrors",
}
_OF_ALL = {"InErrors", "InErrs"}

_SIX = re.compile(r"([^6]+6)(.+)")


def collect(sources: Sources) -> list[Part]:
    """Return the ``netstat`` section."""
    counts = parse_snmp(read_as_init(sources.procfs, "net/snmp"))
    counts |= parse_snmp(read_as_init(sources.procfs, "net/netstat"))
    # Absent where IPv6 is off.
    counts |= parse_snmp6(read_optional_as_init(sources.procfs, "net/snmp6") or "")
    return [("netstat", counts)]


def parse_snmp(text: str) -> dict[str, int]:
    """Return the wanted counts of ``/proc/net/snmp`` or ``netstat``, as ``Tcp_InSegs``.

    Each protocol has a line of names, and below it one of values.
    """
    found = {}
    for names, values in list(pairwise(text.splitlines()))[::2]:
        protocol, _, rest = names.partition(": ")
        wanted = _WANTED.get(protocol, set()) | _OF_ALL
        for name, value in zip(rest.split(), values.split()[1:], strict=True):
            if name in wanted:
                found[f"{protocol}_{name}"] = int(value)
    return found


def parse_snmp6(text: str) -> dict[str, int]:
    """Return the wanted counts of ``/proc/net/snmp6``, as ``Ip6_InOctets``."""
    found = {}
    for line in text.splitlines():
        name, value = line.split()
        if split := _SIX.fullmatch(name):
            protocol, field = split.groups()
            if field in _WANTED.get(protocol, set()) | _OF_ALL:
                found[f"{protocol}_{field}"] = int(value)
    return found
