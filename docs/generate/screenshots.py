"""Take screenshots of the status page with simulated hosts: of none, 1, 12, 300 and 2,000.

Usage: ``make pictures``; the script itself takes [SECONDS] [PICTURE]..., for how long the curves go
back and which pictures to take. They go to ``pictures/``, which is not under version control, and
those of README.md also to ``docs/images``.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from playwright.sync_api import Browser, Page, expect
from support.browsers import PHONE, chromium
from support.pages import wait_until
from support.processes import ROOT, Exporter, Launcher, found
from support.simulated import KINDS, Faults, Machine, Player
from support.status_page import home, summaries

PICTURES: Final = ROOT / "pictures"
COMMITTED: Final = ROOT / "docs" / "images"
HISTORY: Final = 310.0  # seconds; a little more than the length of a curve
INTERVAL: Final = 5.0  # seconds between two reports
LONG: Final = 120_000.0  # milliseconds; the machine has much to do

#: The pictures of the documents, by their names there.
OF_DOCUMENTS: Final = {
    "hosts-light": "fleet-12-light",
    "hosts-dark": "fleet-12-dark",
}

#: The sizes of a window and of a phone, both in the light and the dark scheme.
LOOKS: Final[Mapping[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE, "device_scale_factor": 2},
    "phone-dark": {"color_scheme": "dark", "viewport": PHONE, "device_scale_factor": 2},
}
DESKTOP: Final = {"viewport": {"width": 1440, "height": 800}, "device_scale_factor": 1.5}

SITES: Final = ("porto", "lisboa", "faro", "braga", "madrid", "frankfurt")

#: Of the large fleets: what a machine does, its kind, its name, and how many of a hundred it is.
ROLES: Final = (
    ("web", "web", "web-{number:02}", 26),
    ("kubernetes", "kubernetes", "k8s-worker-{number:02}", 20),
    ("edge", "edge", "edge-{site}-{number:02}", 22),
    ("database", "database", "db-orders-{number}", 8),
    ("cache", "cache", "redis-{number:02}", 7),
    ("ci", "build", "ci-runner-{number:02}", 6),
    ("mail", "mail", "mail-{number}", 3),
    ("hypervisor", "hypervisor", "pve-{number:02}", 5),
    ("storage", "storage", "nas-{number}", 3),
)


def small_fleet(faults: Mapping[str, Faults]) -> list[Machine]:
    """Return twelve hosts of a small company."""
    of = {
        "web-1": ("web", "porto"),
        "web-2": ("web", "porto"),
        "web-3": ("web", "lisboa"),
        "db-1": ("database", "porto"),
        "db-2": ("database", "lisboa"),
        "cache-1": ("cache", "porto"),
        "mail-1": ("mail", "lisboa"),
        "ci-1": ("build", "porto"),
        "pve-1": ("hypervisor", "porto"),
        "nas": ("storage", "porto"),
        "edge-faro": ("edge", "faro"),
        "edge-braga": ("edge", "braga"),
    }
    return [
        Machine(name, KINDS[kind], {"site": site, "role": kind}, faults.get(name))
        for name, (kind, site) in of.items()
    ]


def large_fleet(number: int, faults: Sequence[tuple[str, Faults]]) -> list[Machine]:
    """Return many hosts of six sites; each fault is one of the first host of its role."""
    dice = Random(number)  # noqa: S311 - for names
    weights = [share for *_, share in ROLES]
    counts: dict[str, int] = {}
    left = [*faults]
    machines = []
    for role, kind, pattern, _ in dice.choices(ROLES, weights, k=number):
        counts[role] = counts.get(role, 0) + 1
        site = dice.choice(SITES)
        name = pattern.format(number=counts[role], site=site)
        labels = {"site": site, "role": role, "env": "staging" if dice.random() < 0.2 else "prod"}
        fault = next((each for each in left if each[0] == role), None)
        if fault and counts[role] > 2:
            left.remove(fault)
        else:
            fault = None
        machines.append(Machine(name, KINDS[kind], labels, fault[1] if fault else None))
    assert not left, left
    return machines


#: One fault each, of the fleet of 300.
FAULTS: Final = (
    ("database", Faults(full=("/var/lib/postgresql", 0.985))),
    ("mail", Faults(inodes=("/var/vmail", 0.991))),
    ("hypervisor", Faults(memory=0.981, swap=0.4)),
    ("edge", Faults(loss=0.2)),
    ("edge", Faults(clock=97.0)),
    ("storage", Faults(temperature=0.97)),
    ("web", Faults(failed_service="php8.2-fpm.service")),
    ("kubernetes", Faults(failed_collector="hwmon")),
    ("storage", Faults(device_error="/srv/backup")),
)
OF_SMALL_FLEET: Final = {
    "db-2": Faults(full=("/var/lib/postgresql", 0.962)),
    "ci-1": Faults(busy=0.97),
    "edge-braga": Faults(temperature=0.985),
}


class Shot(NamedTuple):
    """A picture to be taken: its name, whose page it is of, and what is there once it is ready."""

    name: str
    fleet: str
    path: str = ""
    ready: str = "#rows tr"
    whole: bool = False


class Fleet(NamedTuple):
    """Machines, how often they report in seconds, and which of them fall silent at last."""

    machines: Sequence[Machine]
    interval: float = INTERVAL
    silent: Sequence[str] = ()


def made_fleets() -> dict[str, Fleet]:
    """Return all fleets by name."""
    large, many = large_fleet(300, FAULTS), large_fleet(2000, FAULTS * 2)
    cut = [each.name for each in many if each.name.startswith("edge-faro")]
    return {
        "none": Fleet([]),
        "1": Fleet([Machine("raspberrypi", KINDS["edge"], {})]),
        "12-healthy": Fleet(small_fleet({})),
        "12": Fleet(small_fleet(OF_SMALL_FLEET), silent=["edge-faro"]),
        "300": Fleet(large, silent=[_first(large, "ci-runner", faulty=False)]),
        "2000": Fleet(many, 2 * INTERVAL, silent=cut[:14]),
    }


def _first(machines: Sequence[Machine], start: str, *, faulty: bool) -> str:
    return next(
        each.name for each in machines if each.name.startswith(start) and each.is_faulty == faulty
    )


def all_shots(fleets: Mapping[str, Fleet]) -> list[Shot]:
    """Return all pictures but those of an exporter that is gone."""
    large, detail = fleets["300"], "#detail:not([hidden])"
    hosts = {
        "healthy": ("12-healthy", "db-1"),
        "one": ("1", "raspberrypi"),
        "containers": ("300", _first(large.machines, "k8s-worker", faulty=False)),
        "full": ("300", _first(large.machines, "db-orders", faulty=True)),
        "down": ("300", large.silent[0]),
    }
    return [
        Shot("fleet-none", "none", ready="#empty"),
        Shot("fleet-1", "1"),
        Shot("fleet-12-healthy", "12-healthy", whole=True),
        Shot("fleet-12", "12"),
        Shot("fleet-300", "300"),
        Shot("fleet-300-groups", "300", "?group=site"),
        Shot("fleet-2000", "2000"),
        Shot("fleet-2000-grid", "2000", "?view=grid", "#grid"),
        *(
            Shot(f"host-{name}", fleet, f"host?name={host}", detail, whole=True)
            for name, (fleet, host) in hosts.items()
        ),
        Shot("join", "12", "join", "main"),
        GONE,
    ]


#: Of pages that are open while their exporter ends; the last picture.
GONE: Final = Shot("fleet-gone", "12-healthy")


def play(launcher: Launcher, stack: ExitStack, fleet: Fleet) -> tuple[Exporter, Player]:
    """Start an exporter, and the machines that report to it."""
    exporter = launcher.exporter("--udp.receive-buffer=4MiB")
    player = Player(fleet.machines, exporter.port, fleet.interval)
    stack.callback(player.close)
    wait_until(
        lambda: len(summaries(exporter).hosts),
        lambda count: count == len(fleet.machines),
        "the hosts of a fleet",
        within=240,
    )
    return exporter, player


def wait_for_silence(exporter: Exporter, fleet: Fleet) -> None:
    """Wait until the hosts that fell silent are down."""
    wait_until(
        lambda: {host.name for host in summaries(exporter).hosts if host.state == "down"},
        lambda names: names >= {*fleet.silent},
        "hosts to be down",
        within=60,
        every=0.5,
    )


def tab(browser: Browser, look: str) -> Page:
    """Return a page of a look."""
    settings = {**DESKTOP, **LOOKS[look], "reduced_motion": "reduce"}
    return browser.new_context(**settings).new_page()


def taken(browser: Browser, exporter: Exporter, shot: Shot, look: str) -> None:
    """Take a picture, once the page is ready and has drawn."""
    page = tab(browser, look)
    page.goto(home(exporter, shot.path))
    expect(page.locator(shot.ready).first).to_be_visible(timeout=LONG)
    page.wait_for_timeout(1500)  # what comes every second, and curves
    page.screenshot(path=PICTURES / f"{shot.name}-{look}.png", full_page=shot.whole)
    page.context.close()


def taken_of_the_gone(browser: Browser, exporter: Exporter) -> None:
    """Take pictures of pages whose exporter ends while they are open."""
    pages = {}
    for look in LOOKS:
        pages[look] = tab(browser, look)
        pages[look].goto(home(exporter))
        expect(pages[look].locator(GONE.ready).first).to_be_visible(timeout=LONG)
    exporter.end()
    for look, page in pages.items():
        expect(page.get_by_role("alert")).to_be_visible()
        page.screenshot(path=PICTURES / f"{GONE.name}-{look}.png")
        page.context.close()


def main() -> None:
    """Run exporters and hosts, wait for the curves, and take the pictures."""
    history = float(sys.argv[1]) if len(sys.argv) > 1 else HISTORY
    fleets = made_fleets()
    shots = [shot for shot in all_shots(fleets) if shot.name in sys.argv[2:] or not sys.argv[2:]]
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, ExitStack() as stack:
        launcher = Launcher(Path(folder))
        stack.callback(launcher.close)
        names = dict.fromkeys(shot.fleet for shot in shots)
        playing = {name: play(launcher, stack, fleets[name]) for name in names}
        time.sleep(history)
        for name, (_, player) in playing.items():
            player.silence(*fleets[name].silent)
        for name, (exporter, _) in playing.items():
            wait_for_silence(exporter, fleets[name])
        for shot in shots:
            exporter, _ = playing[shot.fleet]
            if shot is GONE:
                taken_of_the_gone(browser, exporter)
            else:
                for look in LOOKS:
                    taken(browser, exporter, shot, look)
    for name, source in OF_DOCUMENTS.items():
        if source.removesuffix("-light").removesuffix("-dark") in {shot.name for shot in shots}:
            commit(PICTURES / f"{source}.png", COMMITTED / f"{name}.png")


def commit(picture: Path, small: Path) -> None:
    """Write a smaller form of a picture, with 256 colours at most."""
    command = [found("pngquant"), "--force", "--strip", "--speed=1", "--output"]
    subprocess.run([*command, str(small), str(picture)], check=True)  # noqa: S603 - own arguments


if __name__ == "__main__":
    main()
