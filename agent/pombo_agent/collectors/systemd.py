"""Units of systemd: their states, and counts of services, sockets and timers."""

import re
from collections import Counter
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import pattern, switch
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, families, family
from pombo_agent.collectors.system_bus import Bus, open_bus

_SERVICE = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = f"{_SERVICE}.Manager"

_STATES = ("active", "activating", "deactivating", "inactive", "failed")
_VERSION = re.compile(r"[0-9]{3,}(\.[0-9]+)?")

# Since this version of systemd, the manager has a state, and timers tell when they have elapsed.
_WITH_STATE = 212

_NO_LIMIT = 2**64 - 1

# The properties of a socket, the column of each, and the HELP texts.
_SOCKETS = {
    "accepted_connections_total": "NAccepted",
    "current_connections": "NConnections",
    "refused_connections_total": "NRefused",
}
_SOCKETS_ACCEPTED = {"accepted_connections": "Total number of accepted socket connections"}
_SOCKETS_NOW = {
    "current_connections": "Current number of socket connections",
    "refused_connections_total": "Total number of refused socket connections",
}
_TASKS = {"unit_tasks_current": "TasksCurrent", "unit_tasks_max": "TasksMax"}
_TASKS_HELP = {
    "unit_tasks_current": "Current number of tasks per Systemd unit",
    "unit_tasks_max": "Maximum number of tasks per Systemd unit",
}

FLAGS = (
    pattern(
        "unit-include",
        ".+",
        "Regexp of systemd units to include. Units must both match include and not match exclude "
        "to be included.",
    ),
    pattern(
        "unit-exclude",
        r".+\.(automount|device|mount|scope|slice)",
        "Regexp of systemd units to exclude. Units must both match include and not match exclude "
        "to be included.",
    ),
    switch(
        "enable-task-metrics",
        "Enables service unit tasks metrics unit_tasks_current and unit_tasks_max",
    ),
    switch("enable-restarts-metrics", "Enables service unit metric service_restart_total"),
    switch("enable-start-time-metrics", "Enables service unit metric unit_start_time_seconds"),
)


class Unit(NamedTuple):
    """A unit that is loaded. ``kind`` is the end of its name, such as ``service``."""

    name: str
    kind: str
    state: str
    substate: str
    path: str

    @property
    def interface(self) -> str:
        """The interface of units of this kind, such as ``org.freedesktop.systemd1.Service``."""
        return f"{_SERVICE}.{self.kind.capitalize()}"


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_systemd_*``."""
    with open_bus(sources, _SERVICE) as bus:
        text, version = _version(bus)
        listed = bus.call(_PATH, _MANAGER, "ListUnits")
        summary = Counter(dict.fromkeys(_STATES, 0))
        summary.update(unit[3] for unit in listed)
        units = _chosen(sources, listed)
        found = [
            *family(
                "node_systemd_version",
                "gauge",
                "Detected systemd version",
                ("version",),
                [(text, version)],
            ),
            *family(
                "node_systemd_virtualization_info",
                "gauge",
                "Detected virtualization technology",
                ("virtualization_type",),
                [(_virtualization(bus), 1)],
            ),
            *family(
                "node_systemd_units",
                "gauge",
                "Summary of systemd unit states",
                ("state",),
                list(summary.items()),
            ),
            *_states(sources, bus, units),
            *_services(sources, bus, [unit for unit in units if unit.kind == "service"]),
            *_sockets(bus, [unit for unit in units if unit.kind == "socket"]),
        ]
        if sources.flags.switch("enable-start-time-metrics"):
            found += _start_times(bus, units)
        if version >= _WITH_STATE:
            found += _timers(bus, [unit for unit in units if unit.kind == "timer"])
            running = bus.value(_PATH, _MANAGER, "SystemState") == "running"
            text = "Whether the system is operational (see 'systemctl is-system-running')"
            found += family("node_systemd_system_running", "gauge", text, (), [(int(running),)])
        return found


def _chosen(sources: Sources, listed: list[tuple[str, ...]]) -> list[Unit]:
    """Return the loaded units that the flags choose; see org.freedesktop.systemd1(5)."""
    include = sources.flags.pattern("unit-include")
    exclude = sources.flags.pattern("unit-exclude")
    return [
        Unit(name, name.rpartition(".")[2], state, substate, path)
        for name, _description, loaded, state, substate, _following, path, *_ in listed
        if loaded == "loaded" and include.fullmatch(name) and not exclude.fullmatch(name)
    ]


def _version(bus: Bus) -> tuple[str, float]:
    """Return the version as text, and the number at its beginning: 0 where there is none."""
    text = bus.value(_PATH, _MANAGER, "Version")
    number = _VERSION.search(text) if isinstance(text, str) else None
    return (text, float(number[0])) if number else ("", 0.0)


def _virtualization(bus: Bus) -> str:
    found = bus.value(_PATH, _MANAGER, "Virtualization")
    return (found or "none") if isinstance(found, str) else "unknown"


def _states(sources: Sources, bus: Bus, units: list[Unit]) -> list[Section]:
    types = _types(sources, bus, units)
    rows = [
        (unit.name, state, types.get(unit.path, ""), int(unit.state == state))
        for unit in units
        for state in _STATES
    ]
    labels = ("name", "state", "type")
    return family("node_systemd_unit_state", "gauge", "Systemd unit", labels, rows)


def _types(sources: Sources, bus: Bus, units: list[Unit]) -> dict[str, str]:
    """Return the type of each service and mount, by its path.

    It is asked for once in each state of the unit, since most calls would be for that alone.
    """
    before: dict[str, tuple[str, Unit]] = sources.kept.get("types", {})
    known: dict[str, tuple[str, Unit]] = {}
    for unit in units:
        if unit.kind in {"service", "mount"}:
            text, then = before.get(unit.path, ("", None))
            if then != unit:
                found = bus.value(unit.path, unit.interface, "Type")
                text = found if isinstance(found, str) else ""
            known[unit.path] = (text, unit)
    sources.kept["types"] = known
    return {path: text for path, (text, _) in known.items()}


def _services(sources: Sources, bus: Bus, units: list[Unit]) -> list[Section]:
    """Return the restarts and the tasks of services, where flags enable them."""
    found: list[Section] = []
    if sources.flags.switch("enable-restarts-metrics"):
        restarts = [
            (unit.name, bus.number(unit.path, unit.interface, "NRestarts")) for unit in units
        ]
        name = "node_systemd_service_restart_total"
        text = "Service unit count of Restart triggers"
        found += family(name, "counter", text, ("name",), restarts)
    if sources.flags.switch("enable-task-metrics"):
        rows: list[Row] = []
        for unit in units:
            tasks = _numbers(bus, unit, _TASKS)
            limited = {name: None if value == _NO_LIMIT else value for name, value in tasks.items()}
            rows.append({"name": unit.name, **limited})
        found += families("node_systemd_*", "gauge", _TASKS_HELP, ("name",), rows)
    return found


def _sockets(bus: Bus, units: list[Unit]) -> list[Section]:
    """Return the connections of sockets; those refused are a gauge, as in node_exporter."""
    rows: list[Row] = []
    for unit in units:
        row = _numbers(bus, unit, _SOCKETS)
        accepted = row.pop("accepted_connections_total")
        rows.append({"name": unit.name, "accepted_connections": accepted, **row})
    labels = ("name",)
    return [
        *families("node_systemd_socket_*_total", "counter", _SOCKETS_ACCEPTED, labels, rows),
        *families("node_systemd_socket_*", "gauge", _SOCKETS_NOW, labels, rows),
    ]


def _numbers(bus: Bus, unit: Unit, names: dict[str, str]) -> dict[str, Cell]:
    return {column: bus.number(unit.path, unit.interface, name) for column, name in names.items()}


def _start_times(bus: Bus, units: list[Unit]) -> list[Section]:
    rows: list[tuple[Cell, ...]] = []
    for unit in units:
        seconds: float | None = 0.0
        if unit.state == "active":
            seconds = _seconds(bus.number(unit.path, f"{_SERVICE}.Unit", "ActiveEnterTimestamp"))
        rows.append((unit.name, seconds))
    text = "Start time of the unit since unix epoch in seconds."
    return family("node_systemd_unit_start_time_seconds", "gauge", text, ("name",), rows)


def _timers(bus: Bus, units: list[Unit]) -> list[Section]:
    rows = [
        (unit.name, _seconds(bus.number(unit.path, unit.interface, "LastTriggerUSec")))
        for unit in units
    ]
    text = "Seconds since epoch of last trigger."
    return family("node_systemd_timer_last_trigger_seconds", "gauge", text, ("name",), rows)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


COLLECTORS = [Collector("systemd", collect, enabled=False, flags=FLAGS, waits=True)]
