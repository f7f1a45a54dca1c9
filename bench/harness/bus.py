"""Services on a D-Bus, as a machine has them: 100 units of systemd, and 4 sessions."""

from typing import Any, Final

from support.system_bus import Service

_SYSTEMD, _PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
_LOGIND, _LOGIN_PATH = "org.freedesktop.login1", "/org/freedesktop/login1"

#: How many units of each kind there are, and the properties of each.
_KINDS: dict[str, tuple[int, dict[str, tuple[str, Any]]]] = {
    "service": (70, {"Type": ("s", "simple")}),
    "socket": (18, {"NAccepted": ("u", 40), "NConnections": ("u", 2), "NRefused": ("u", 5)}),
    "timer": (12, {"LastTriggerUSec": ("t", 1700000001250000)}),
}


def _systemd() -> Service:
    manager = {
        "Version": ("s", "252.39-1~deb12u1"),
        "Virtualization": ("s", "kvm"),
        "SystemState": ("s", "running"),
    }
    properties = {(_PATH, f"{_SYSTEMD}.Manager", name): text for name, text in manager.items()}
    units: list[tuple[Any, ...]] = []
    for kind, (count, own) in _KINDS.items():
        interface = f"{_SYSTEMD}.{kind.capitalize()}"
        for number in range(count):
            name, path = f"program-{number}.{kind}", f"{_PATH}/unit/program_{number}_{kind}"
            state = "inactive" if number % 5 == 0 else "active"
            units.append((name, "", "loaded", state, "running", "", path, 0, "", "/"))
            properties |= {(path, interface, column): value for column, value in own.items()}
    method = (_PATH, f"{_SYSTEMD}.Manager", "ListUnits")
    return Service(_SYSTEMD, {method: ("a(ssssssouso)", units)}, properties)


def _logind() -> Service:
    path = f"{_LOGIN_PATH}/session"
    sessions = [(str(number), 1000, "ana", "seat0", f"{path}/_{number}") for number in range(4)]
    properties = {
        (f"{path}/_{number}", f"{_LOGIND}.Session", name): value
        for number in range(4)
        for name, value in {
            "Remote": ("b", number > 0),
            "Type": ("s", "tty"),
            "Class": ("s", "user"),
        }.items()
    }
    manager = f"{_LOGIND}.Manager"
    methods = {
        (_LOGIN_PATH, manager, "ListSeats"): ("a(so)", [("seat0", f"{_LOGIN_PATH}/seat/seat0")]),
        (_LOGIN_PATH, manager, "ListSessions"): ("a(susso)", sessions),
    }
    return Service(_LOGIND, methods, properties)


#: By the collector that asks it.
SERVICES: Final = {"systemd": _systemd(), "logind": _logind()}
