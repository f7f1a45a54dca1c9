"""Links from alerts to the status page."""

import socket
from typing import Final
from urllib.parse import quote

from pombo_cli.addresses import Address

from pombo_exporter.notify.grouping import Links

_ANY: Final = ("", "::", "0.0.0.0")  # noqa: S104 - it is compared, not listened on


def links(external: str | None, prefix: str, listens: Address, *, tls: bool) -> Links:
    """Return the links to an exporter.

    Without its external URL, they have the name of this machine, the port at which it listens and
    the prefix of its paths.
    """
    if external is None:
        host = socket.gethostname() if listens.host in _ANY else listens.host
        external = f"{'https' if tls else 'http'}://{Address(host, listens.port)}{prefix}"
    return Links(external, lambda name: f"{external}/host?name={quote(name, safe='')}")
