"""Network protocols: counts of IP, ICMP, TCP and UDP."""

import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import numbers

# What node_exporter has by default, of some four hundred counts.
_DEFAULT_FIELDS = (
    "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|"
    "TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|"
    "Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|"
    "Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$"
)


class Fields:
    """Which counts are wanted. It remembers the names, which are the same in each run."""

    def __init__(self, pattern: "re.Pattern[str]") -> None:
        self._matches = pattern.search
        self._known: dict[bytes, str] = {}

    def name(self, protocol: bytes, field: bytes) -> str:
        """Return the name of a count, such as ``Tcp_InSegs``, or nothing where it is unwanted."""
        whole = protocol + b"_" + field
        name = self._known.get(whole)
        if name is None:
            name = decoded(whole)
            name = self._known[whole] = name if self._matches(name) else ""
        return name


def collect(sources: Sources) -> list[Section]:
    """Return the ``netstat`` section."""
    fields = sources.kept.get("fields")
    if fields is None:
        fields = sources.kept["fields"] = Fields(sources.flags.pattern("fields"))
    counts = parse_snmp(sources.proc_of_init("net/snmp"), fields)
    more = sources.optional_of_init("net/netstat")
    ipv6 = sources.optional_of_init("net/snmp6")  # absent where IPv6 is off
    counts |= parse_snmp(more, fields) if more else {}
    return numbers("netstat", counts | (parse_snmp6(ipv6, fields) if ipv6 else {}))


def parse_snmp(file: File, fields: Fields) -> dict[str, float | None]:
    """Return the wanted counts of ``/proc/net/snmp`` or ``netstat``, as ``Tcp_InSegs``.

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
            for field, value in zip(names[protocol], words, strict=True):
                if name := fields.name(protocol, field):
                    count = file.number(value)
                    if count is None or count >= 0:  # the only other one is "no limit", MaxConn
                        found[name] = count
    return found


def parse_snmp6(file: File, fields: Fields) -> dict[str, float | None]:
    """Return the wanted counts of ``/proc/net/snmp6``, as ``Ip6_InOctets``."""
    found: dict[str, float | None] = {}
    for whole, value, *_ in file.words(2):
        protocol, six, field = whole.partition(b"6")
        if six and field and (name := fields.name(protocol + six, field)):
            found[name] = file.number(value)
    return found


FLAGS = (pattern("fields", _DEFAULT_FIELDS, "Regexp of fields to return for netstat collector."),)
COLLECTORS = [Collector("netstat", collect, flags=FLAGS)]
