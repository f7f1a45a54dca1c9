"""The collector ``logind``, with a service of the test's own on a real bus."""

from pathlib import Path
from typing import Any

import pytest
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import logind
from support.system_bus import Service, serving

LOGIND = "org.freedesktop.login1"
PATH = "/org/freedesktop/login1"


def session(number: int, *, remote: bool, kind: str, of_class: str) -> dict[Any, Any]:
    keys = (f"{PATH}/session/_{number}", f"{LOGIND}.Session")
    return {
        (*keys, "Remote"): ("b", remote),
        (*keys, "Type"): ("s", kind),
        (*keys, "Class"): ("s", of_class),
    }


SERVICE = Service(
    LOGIND,
    {
        (PATH, f"{LOGIND}.Manager", "ListSeats"): ("a(so)", [("seat0", f"{PATH}/seat/seat0")]),
        (PATH, f"{LOGIND}.Manager", "ListSessions"): (
            "a(susso)",
            [
                (str(number), 1000, "ana", seat, f"{PATH}/session/_{number}")
                for number, seat in enumerate(("seat0", "", "", "seat0", "seat9", ""))
            ],
        ),
    },
    {
        **session(0, remote=False, kind="wayland", of_class="user"),
        **session(1, remote=True, kind="tty", of_class="user"),
        **session(2, remote=True, kind="tty", of_class="user"),
        **session(3, remote=False, kind="new", of_class="manager"),
        **session(4, remote=False, kind="x11", of_class="user"),
    },
)


def test_sessions_are_counted_by_seat_kind_and_class(
    this_machine: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(SERVICE, tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        (found,) = logind.collect(this_machine)
    assert (found.name, found.type) == ("node_logind_sessions", "gauge")
    assert found.help == "Number of sessions registered in logind."
    assert [*found.labels] == ["seat", "remote", "type", "class"]
    rows = dict(zip(zip(*found.labels.values(), strict=True), found.cells, strict=True))
    assert len(rows) == 2 * 2 * 7 * 5
    assert {key: count for key, count in rows.items() if count} == {
        ("seat0", "false", "wayland", "user"): 1,
        ("", "true", "tty", "user"): 2,
        ("seat0", "false", "other", "other"): 1,
    }
