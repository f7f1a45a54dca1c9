"""Network protocols: counts of IP, ICMP, TCP and UDP."""

import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import numbers

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


def collect(sources: Sources) -> list[Section]:
    """Return the ``netstat`` section."""
    counts = parse_snmp(sources.proc_of_init("net/snmp"))
    more = sources.optional_of_init("net/netstat")
    ipv6 = sources.optional_of_init("net/snmp6")  # absent where IPv6 is off
    counts |= parse_snmp(more) if more else {}
    return numbers("netstat", counts | (parse_snmp6(ipv6) if ipv6 else {}))


def parse_snmp(file: File) -> dict[str, float | None]:
    """Return the counts in ``_FIELDS`` of ``/proc/net/snmp`` or ``netstat``, as ``Tcp_InSegs``.

    Each protocol has a line of names, followed by a line of values.
    """
    found: dict[str, float | None] = {}
    names: dict[bytes, list[bytes]] = {}
    for line in file.lines():
        protocol, _, rest = line.partition(b": ")
        words = rest.split()
        if words and all(word[:1].isalpha() for word in words):
            names[protocol] = words
        elif not words or len(words) != len(names.get(protocol, ())):
            file.skip("line", line)
        else:
            known = decoded(protocol)
            fields = _FIELDS.get(known, set()) | _FIELDS_OF_ALL
            for name, value in zip(map(decoded, names[protocol]), words, strict=True):
                if name in fields:
                    found[f"{known}_{name}"] = file.number(value)
    return found


def parse_snmp6(file: File) -> dict[str, float | None]:
    """Return the counts in ``_FIELDS`` of ``/proc/net/snmp6``, as ``Ip6_InOctets``."""
    found: dict[str, float | None] = {}
    for name, value, *_ in file.words(2):
        if split := _IPV6_NAME.fullmatch(decoded(name)):
            protocol, field = split.groups()
            if field in _FIELDS.get(protocol, set()) | _FIELDS_OF_ALL:
                found[f"{protocol}_{field}"] = file.number(value)
    return found


COLLECTORS = [Collector("netstat", collect)]
