"""Take the screenshots of the status page for README.md, with real agents on this machine.

Usage: ``make pictures``; the script itself takes [SECONDS]. It runs for some minutes, because a
curve covers five.
"""

import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect
from support.browsers import PHONE, chromium
from support.pages import fetch, wait_until
from support.processes import ROOT, Exporter, Launcher, Process
from support.senders import Sender

PICTURES = ROOT / "docs" / "images"
INTERVAL = 5  # seconds
HISTORY = 300  # seconds; the length of a curve

HOSTS = {
    "web-1": ("site=porto", "role=web"),
    "web-2": ("site=porto", "role=web"),
    "web-3": ("site=lisboa", "role=web"),
    "db-1": ("site=porto", "role=database"),
    "db-2": ("site=lisboa", "role=database"),
    "cache-1": ("site=porto", "role=cache"),
    "mail-1": ("site=lisboa", "role=mail"),
    "build-1": ("site=porto", "role=ci"),
    "edge-faro": ("site=faro", "role=edge"),
    "edge-braga": ("site=braga", "role=edge"),
}
DOWN, LATE = "edge-faro", "db-2"

DESKTOP: ViewportSize = {"width": 1440, "height": 720}
TILES: ViewportSize = {"width": 1440, "height": 385}  # px; the top of a host's page


def agents(launcher: Launcher, exporter: Exporter) -> dict[str, Process]:
    """Start an agent for each of the names, spread over an interval."""
    started = {}
    for name, labels in HOSTS.items():
        flags = [
            *(f"--label={label}" for label in labels),
            "--collector.filesystem.mount-points-exclude=^/.+",
        ]
        started[name] = launcher.agent(name, exporter, interval=f"{INTERVAL}s", flags=flags)
        time.sleep(INTERVAL / len(HOSTS))
    return started


def wait_for_state(exporter: Exporter, name: str, state: str) -> None:
    """Wait until the exporter says that a host is in this state."""
    url = f"http://{exporter.target}/api/v1/hosts/{name}"
    wait_until(
        lambda: json.loads(fetch(url))["state"],
        lambda found: found == state,
        f"{name} to be {state}",
        within=6.0 * INTERVAL,
    )


def picture(browser: Browser, url: str, name: str, viewport: ViewportSize, ready: str) -> None:
    """Take a screenshot of the viewport once an element for ``ready`` is visible."""
    context = browser.new_context(
        viewport=viewport,
        color_scheme="dark" if name.endswith("dark") else "light",
        device_scale_factor=1.5,
        reduced_motion="reduce",
    )
    page: Page = context.new_page()
    page.goto(url)
    expect(page.locator(ready).first).to_be_visible()
    expect(page.locator("#totals, #facts dd").first).not_to_be_empty()  # filled a second later
    page.screenshot(path=PICTURES / f"{name}.png")
    context.close()


def main() -> None:
    """Run an exporter and its agents, make one host down and one late, and take the pictures."""
    history = float(sys.argv[1]) if len(sys.argv) > 1 else HISTORY
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        launcher = Launcher(Path(directory))
        try:
            exporter = launcher.exporter()
            running = agents(launcher, exporter)
            with Sender("script", exporter.port) as sender:
                sender.raw(b'{"host":"thermometer","gauges":{"room temperature":21.5}}')
            time.sleep(history)
            running[DOWN].kill()
            wait_for_state(exporter, DOWN, "down")
            home = f"http://{exporter.target}/"
            late = "#rows tr[data-state=late]"
            for name, viewport in (("light", DESKTOP), ("dark", DESKTOP), ("phone", PHONE)):
                running[LATE].send_signal(signal.SIGSTOP)
                picture(browser, home, f"hosts-{name}", viewport, late)
                running[LATE].send_signal(signal.SIGCONT)
                wait_for_state(exporter, LATE, "live")
            for name in ("light", "dark"):
                url = f"{home}host?name=web-1"
                picture(browser, url, f"host-{name}", TILES, "#tiles svg")
        finally:
            launcher.close()


if __name__ == "__main__":
    main()
