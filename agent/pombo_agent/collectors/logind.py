"""Sessions of users, as ``logind`` registers them."""

from collections import Counter

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import family
from pombo_agent.collectors.system_bus import Bus, open_bus

_SERVICE = "org.freedesktop.login1"
_PATH = "/org/freedesktop/login1"

# The values of node_exporter; any other is "other".
_REMOTE = ("true", "false")
_TYPES = ("other", "unspecified", "tty", "x11", "wayland", "mir", "web")
_CLASSES = ("other", "user", "greeter", "lock-screen", "background")

_LABELS = ("seat", "remote", "type", "class")
_SESSIONS = "Number of sessions registered in logind."


def collect(sources: Sources) -> list[Section]:
    """Return the open family ``node_logind_sessions``, with a row for each kind of session."""
    with open_bus(sources, _SERVICE) as bus:
        seats = [seat for seat, *_ in bus.call(_PATH, f"{_SERVICE}.Manager", "ListSeats")]
        listed = bus.call(_PATH, f"{_SERVICE}.Manager", "ListSessions")
        sessions = Counter(_session(bus, seat, path) for _id, _uid, _user, seat, path in listed)
    rows = [
        (seat, remote, kind, of_class, sessions[seat, remote, kind, of_class])
        for remote in _REMOTE
        for kind in _TYPES
        for of_class in _CLASSES
        for seat in (*seats, "")  # that of remote sessions
    ]
    return family("node_logind_sessions", "gauge", _SESSIONS, _LABELS, rows)


def _session(bus: Bus, seat: str, path: str) -> tuple[str, str, str, str] | None:
    """Return the labels of a session; ``None`` where it has ended."""
    interface = f"{_SERVICE}.Session"
    remote, kind, of_class = (
        bus.value(path, interface, name) for name in ("Remote", "Type", "Class")
    )
    if not isinstance(remote, bool) or not isinstance(kind, str) or not isinstance(of_class, str):
        return None
    return (
        seat,
        "true" if remote else "false",
        kind if kind in _TYPES else "other",
        of_class if of_class in _CLASSES else "other",
    )


COLLECTORS = [Collector("logind", collect, enabled=False, waits=True)]
