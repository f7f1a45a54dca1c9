"""What to do about errors of the network and about silence. Imported only where something fails."""

import errno
import socket

#: Where an exporter does not answer sealed reports, and nothing says why.
SILENCE = (
    "open its UDP port in the firewalls on the way, and check that it has this fleet's key and "
    "does not deny this name; `pombo-agent check` says which of these it is"
)

#: Where a clock is wrong.
CLOCK = "check the time synchronisation of both machines: timedatectl, chronyc tracking"

#: Where two agents report under one name.
CONFLICT = "find the other machine with this name, and give each host a key of its own"

#: Where the path takes no datagram of full length in one piece.
FRAGMENTS = "raise the MTU of the tunnel or link, or report over HTTP; see `pombo-agent check`"

_LOOKUP = "check the name in --server, and the resolver of this host"

_ERRORS = {
    errno.ECONNREFUSED: "start the exporter, or check the port: nothing listens on it, or a "
    "firewall rejects",
    errno.EHOSTUNREACH: "check that the machine of the exporter is up, and that no firewall "
    "rejects UDP",
    errno.ENETUNREACH: "check the network of this host: it has no route to this address",
    errno.EPERM: "let the packet filter of this host pass UDP to this port: nft list ruleset",
    errno.EACCES: "let this process open UDP sockets: a sandbox, SELinux or AppArmor forbids it",
    errno.EMSGSIZE: FRAGMENTS,
}


def remedy_of(error: Exception) -> str:
    """Return what to do about an error of a lookup or of sending; empty where nothing is known."""
    if isinstance(error, (socket.gaierror, UnicodeError, TimeoutError)):
        return _LOOKUP
    return _ERRORS.get(getattr(error, "errno", None) or 0, "")
