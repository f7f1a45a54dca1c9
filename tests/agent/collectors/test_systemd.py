"""The collector ``systemd``, with a service of the test's own on a real bus."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import systemd
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section
from support.collectors import flags_of
from support.system_bus import Service, serving

SYSTEMD = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
NO_LIMIT = 2**64 - 1

UNITS = (
    ("cron.service", "loaded", "active", "running"),
    ("backup.service", "loaded", "failed", "failed"),
    ("gone.service", "not-found", "inactive", "dead"),
    ("ssh.socket", "loaded", "active", "listening"),
    ("old.socket", "loaded", "inactive", "dead"),
    ("apt.timer", "loaded", "active", "waiting"),
    ("network.target", "loaded", "reloading", "x"),
    ("home.mount", "loaded", "active", "mounted"),
)


def path_of(name: str) -> str:
    return f"{PATH}/unit/{name.replace('.', '_2e')}"


def listed(name: str, loaded: str, state: str, substate: str) -> tuple[Any, ...]:
    return (name, "A unit", loaded, state, substate, "", path_of(name), 0, "", "/")


def properties(kind: str, name: str, **known: tuple[str, Any]) -> dict[Any, Any]:
    interface = f"{SYSTEMD}.{kind}"
    return {(path_of(name), interface, each): value for each, value in known.items()}


def service(**of_manager: tuple[str, Any]) -> Service:
    manager = {
        "Version": ("s", "252.39-1~deb12u1"),
        "Virtualization": ("s", "kvm"),
        "SystemState": ("s", "running"),
        **of_manager,
    }
    return Service(
        SYSTEMD,
        {(PATH, f"{SYSTEMD}.Manager", "ListUnits"): ("a(ssssssouso)", [listed(*u) for u in UNITS])},
        {
            **{(PATH, f"{SYSTEMD}.Manager", name): value for name, value in manager.items()},
            **properties(
                "Service",
                "cron.service",
                Type=("s", "simple"),
                NRestarts=("u", 3),
                TasksCurrent=("t", 7),
                TasksMax=("t", NO_LIMIT),
            ),
            **properties("Unit", "cron.service", ActiveEnterTimestamp=("t", 1700000000500000)),
            **properties("Service", "backup.service", Type=("s", "oneshot"), NRestarts=("u", 11)),
            **properties("Mount", "home.mount", Type=("s", "ext4")),
            **properties(
                "Socket",
                "ssh.socket",
                NAccepted=("u", 40),
                NConnections=("u", 2),
                NRefused=("u", 5),
            ),
            **properties("Socket", "old.socket", NAccepted=("u", 9), NConnections=("u", 1)),
            **properties("Timer", "apt.timer", LastTriggerUSec=("t", 1700000001250000)),
        },
    )


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with serving(service(), tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield


def sources_of(this_machine: Sources, **given: Any) -> Sources:
    flags = {**flags_of(COLLECTORS["systemd"]).values, **given}
    return this_machine._replace(flags=Flags(flags), kept={})


def values(sections: list[Section]) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the values of each family by the texts of its labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for section in sections:
        keys = [*zip(*section.labels.values(), strict=True)] or [()]
        for at, column in enumerate(section.values or ("",)):
            cells = section.cells[at * len(keys) : (at + 1) * len(keys)]
            found[section.name.replace("*", column)] = {
                key: cell for key, cell in zip(keys, cells, strict=True) if cell is not None
            }
    return found


@pytest.mark.usefixtures("bus")
def test_units_have_their_states_and_counts(this_machine: Sources) -> None:
    found = values(systemd.collect(sources_of(this_machine)))
    states = found.pop("node_systemd_unit_state")
    assert {key: value for key, value in states.items() if value} == {
        ("cron.service", "active", "simple"): 1,
        ("backup.service", "failed", "oneshot"): 1,
        ("ssh.socket", "active", ""): 1,
        ("old.socket", "inactive", ""): 1,
        ("apt.timer", "active", ""): 1,
    }
    assert len(states) == 6 * 5
    assert found == {
        "node_systemd_version": {("252.39-1~deb12u1",): 252.39},
        "node_systemd_virtualization_info": {("kvm",): 1},
        "node_systemd_units": {
            ("active",): 4,
            ("activating",): 0,
            ("deactivating",): 0,
            ("inactive",): 2,
            ("failed",): 1,
            ("reloading",): 1,
        },
        "node_systemd_socket_accepted_connections_total": {("ssh.socket",): 40, ("old.socket",): 9},
        "node_systemd_socket_current_connections": {("ssh.socket",): 2, ("old.socket",): 1},
        "node_systemd_socket_refused_connections_total": {("ssh.socket",): 5},
        "node_systemd_timer_last_trigger_seconds": {("apt.timer",): 1700000001.25},
        "node_systemd_system_running": {(): 1},
    }


@pytest.mark.usefixtures("bus")
def test_flags_enable_more_of_services(this_machine: Sources) -> None:
    flags = {
        "enable-restarts-metrics": True,
        "enable-task-metrics": True,
        "enable-start-time-metrics": True,
    }
    found = values(systemd.collect(sources_of(this_machine, **flags)))
    assert found["node_systemd_service_restart_total"] == {
        ("cron.service",): 3,
        ("backup.service",): 11,
    }
    assert found["node_systemd_unit_tasks_current"] == {("cron.service",): 7}
    assert "node_systemd_unit_tasks_max" not in found
    assert found["node_systemd_unit_start_time_seconds"] == {
        ("cron.service",): 1700000000.5,
        ("backup.service",): 0,
        ("old.socket",): 0,
        ("network.target",): 0,
    }


@pytest.mark.usefixtures("bus")
def test_flags_choose_units_by_their_whole_names(this_machine: Sources) -> None:
    chosen = {
        "unit-include": re.compile(r"(cron|backup)\.service|home.*|ssh"),
        "unit-exclude": re.compile("back"),
    }
    found = values(systemd.collect(sources_of(this_machine, **chosen)))
    names = {(name, kind) for name, _state, kind in found["node_systemd_unit_state"]}
    assert names == {
        ("cron.service", "simple"),
        ("backup.service", "oneshot"),
        ("home.mount", "ext4"),
    }
    assert sum(found["node_systemd_units"].values()) == len(UNITS), "the summary is of all units"


@pytest.mark.usefixtures("bus")
def test_types_are_asked_for_once_in_each_state(this_machine: Sources) -> None:
    sources = sources_of(this_machine)
    systemd.collect(sources)
    text, unit = sources.kept["types"][path_of("cron.service")]
    sources.kept["types"] = {path_of("cron.service"): ("kept", unit)}
    sources.kept["types"][path_of("backup.service")] = (text, unit)
    found = values(systemd.collect(sources))["node_systemd_unit_state"]
    assert {kind for name, _state, kind in found if name == "cron.service"} == {"kept"}
    assert {kind for name, _state, kind in found if name == "backup.service"} == {"oneshot"}


def test_old_systemd_lacks_its_state_and_the_timers(
    this_machine: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = service(Version=("s", "208"), SystemState=("s", ""), Virtualization=("s", ""))
    with serving(old, tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        found = values(systemd.collect(sources_of(this_machine)))
    assert found["node_systemd_version"] == {("208",): 208}
    assert found["node_systemd_virtualization_info"] == {("none",): 1}
    assert "node_systemd_system_running" not in found
    assert "node_systemd_timer_last_trigger_seconds" not in found


def test_host_without_a_bus_or_without_systemd_has_no_data(
    this_machine: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    sources = sources_of(this_machine)._replace(rootfs=tmp_path)
    with pytest.raises(NoDataError):
        systemd.collect(sources)
    with serving(Service("org.example", {}, {}), tmp_path) as address:
        (tmp_path / "run/dbus").mkdir(parents=True)
        (tmp_path / "run/dbus/system_bus_socket").symlink_to(tmp_path / "bus")
        with pytest.raises(NoDataError):
            systemd.collect(sources)
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with pytest.raises(NoDataError):
            systemd.collect(sources)


def test_library_that_is_not_installed_is_named(
    this_machine: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setitem(sys.modules, "jeepney.io.blocking", None)
    with pytest.raises(ImportError, match=r"install pombo-agent\[dbus\]"):
        systemd.collect(sources_of(this_machine))
