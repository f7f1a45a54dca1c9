"""IP virtual server: its traffic, and the connections of each backend."""

import socket

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import text
from pombo_agent.collecting.reading import File, decoded, parse_hexadecimal
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Row, families

# The order of the columns in /proc/net/ip_vs_stats.
_TOTALS = {
    "connections": "The total number of connections made.",
    "incoming_packets": "The total number of incoming packets.",
    "outgoing_packets": "The total number of outgoing packets.",
    "incoming_bytes": "The total amount of incoming data.",
    "outgoing_bytes": "The total amount of outgoing data.",
}
# The order of the last columns in /proc/net/ip_vs.
_BACKENDS = {
    "weight": "The current backend weight by local and remote address.",
    "connections_active": "The current active connections by local and remote address.",
    "connections_inactive": "The current inactive connections by local and remote address.",
}
_LABELS = (
    "local_address",
    "local_port",
    "remote_address",
    "remote_port",
    "proto",
    "local_mark",
)
_HEADS = {b"IP", b"Prot"}
_BACKEND, _BACKEND_HEAD = b"->", b"RemoteAddress:Port"
_PROTOCOLS = {b"TCP", b"UDP", b"SCTP"}
_MARK = b"FWM"

Texts = dict[str, str]
Values = list[float | None]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_ipvs_*``.

    Raises:
        ValueError: when the flag names a label that backends do not have.
    """
    totals = parse_totals(sources.proc_of_init("net/ip_vs_stats"))
    wanted = {*filter(None, sources.flags.text("backend-labels").split(","))}
    if unknown := wanted.difference(_LABELS):
        raise ValueError(f"unknown IPVS backend labels: {', '.join(sorted(unknown))}")
    labels = [label for label in _LABELS if label in wanted]
    backends = sources.optional_of_init("net/ip_vs")
    rows = summed(labels, parse_backends(backends)) if backends else []
    return [
        *families("node_ipvs_*_total", "counter", _TOTALS, (), [totals]),
        *families("node_ipvs_backend_*", "gauge", _BACKENDS, labels, rows),
    ]


def parse_totals(file: File) -> Row:
    """Return the hexadecimal totals in the third line of ``/proc/net/ip_vs_stats``."""
    lines = file.lines()
    words = lines[2].split() if len(lines) > 2 else []
    if len(words) != len(_TOTALS):
        file.skip("line", b" ".join(words))
        return {}
    return dict(zip(_TOTALS, map(file.hexadecimal, words), strict=True))


def parse_backends(file: File) -> list[tuple[Texts, Values]]:
    """Return the labels and the values of each backend in ``/proc/net/ip_vs``.

    The lines of the backends of a service follow that of the service.
    """
    found: list[tuple[Texts, Values]] = []
    service: Texts | None = None
    for line in file.lines():
        words = line.split()
        if words[0] in _HEADS or _BACKEND_HEAD in words:
            continue
        try:
            if line[:1].isspace() or _BACKEND in words:
                found.append(_backend(file, service, words))
            elif words[0].isalpha():
                service = None  # those of a service that cannot be read are nobody's backends
                service = _service(words)
            else:
                file.skip("line", line)
        except (ValueError, LookupError, OSError):
            file.skip("line", line)
    return found


def _backend(file: File, service: Texts | None, words: list[bytes]) -> tuple[Texts, Values]:
    values = words[3:6]
    if service is None or words[0] != _BACKEND or len(values) < len(_BACKENDS):
        raise ValueError("a backend without a service or without values")
    return {**service, **_address(words[1], "remote")}, file.numbers(values)


def _service(words: list[bytes]) -> Texts:
    """Return the labels of a service, which has an address or a mark of the firewall."""
    if words[0] in _PROTOCOLS:
        return {"proto": decoded(words[0]), "local_mark": "", **_address(words[1], "local")}
    if words[0] == _MARK:
        own = {"local_address": "", "local_port": "0"}
        return {"proto": "FWM", "local_mark": decoded(words[1]), **own}
    raise ValueError("an unknown protocol")


def _address(word: bytes, side: str) -> Texts:
    """Return the address and the port in ``C0A80016:0CEA`` or ``[2001:0db8:…]:0CEA``.

    Raises:
        ValueError, OSError: when it is not an address.
    """
    address, _, port = word.rpartition(b":")
    if address.startswith(b"["):
        packed = socket.inet_pton(socket.AF_INET6, address.decode("ascii").strip("[]"))
    else:
        packed = bytes.fromhex(address.decode("ascii"))
    family = socket.AF_INET6 if len(packed) == 16 else socket.AF_INET
    shown = socket.inet_ntop(family, packed)
    return {f"{side}_address": shown, f"{side}_port": str(parse_hexadecimal(port))}


def summed(labels: list[str], backends: list[tuple[Texts, Values]]) -> list[Row]:
    """Return a row for the backends that do not differ in the ``labels``, with their sums.

    A sum of which a value is unknown is ``None``.
    """
    sums: dict[tuple[str, ...], Values] = {}
    for texts, values in backends:
        key = tuple(texts[label] for label in labels)
        before = sums.get(key)
        sums[key] = (
            values
            if before is None
            else [
                None if one is None or other is None else one + other
                for one, other in zip(before, values, strict=True)
            ]
        )
    return [
        {**dict(zip(labels, key, strict=True)), **dict(zip(_BACKENDS, values, strict=True))}
        for key, values in sums.items()
    ]


FLAGS = (
    text(
        "backend-labels",
        ",".join(_LABELS),
        "Comma separated list for IPVS backend stats labels.",
    ),
)
COLLECTORS = [Collector("ipvs", collect, flags=FLAGS)]
