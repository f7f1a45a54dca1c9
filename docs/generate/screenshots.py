"""Take the pictures of the live page that README.md shows, of real agents on this machine.

Usage: ``make pictures``. It takes some minutes, so that the curves have something to tell.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect
from support.browsers import PHONE, chromium
from support.processes import ROOT, Exporter, Launcher, Process
from support.senders import Sender

PICTURES = ROOT / "docs" / "images"
INTERVAL = 5  # seconds
LIVING = 300  # seconds; the length of a curve

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
TILES: ViewportSize = {"width": 1440, "height": 385}  # the upper part of a host's page


def agents(launcher: Launcher, exporter: Exporter) -> dict[str, Process]:
    """Start an agent for each of the names, a little after one another."""
    started = {}
    for name, labels in HOSTS.items():
        flags = [
            *(f"--label={label}" for label in labels),
            "--collector.filesystem.mount-points-exclude=^/.+",
        ]
        started[name] = launcher.agent(name, exporter, interval=f"{INTERVAL}s", flags=flags)
        time.sleep(INTERVAL / len(HOSTS))
    return started


def picture(browser: Browser, url: str, name: str, viewport: ViewportSize, ready: str) -> None:
    """Take the picture of what is in view."""
    context = browser.new_context(
        viewport=viewport,
        color_scheme="dark" if name.endswith("dark") else "light",
        device_scale_factor=1.5,
        reduced_motion="reduce",
    )
    page: Page = context.new_page()
    page.goto(url)
    expect(page.locator(ready).first).to_be_visible()
    page.wait_for_timeout(2500)  # ms: past the first second, in which the head of the page is empty
    page.screenshot(path=PICTURES / f"{name}.png")
    context.close()


def main() -> None:
    """Run an exporter and its agents, put two of them in trouble, and take the pictures."""
    living = float(sys.argv[1]) if len(sys.argv) > 1 else LIVING
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        launcher = Launcher(Path(directory))
        try:
            exporter = launcher.exporter()
            running = agents(launcher, exporter)
            with Sender("script", exporter.port) as sender:
                sender.raw(b'{"host":"thermometer","gauges":{"room temperature":21.5}}')
            time.sleep(living)
            running[DOWN].kill()
            time.sleep(3 * INTERVAL)
            home = f"http://{exporter.target}/"
            late = "#rows tr[data-state=late]"
            for name, viewport in (("light", DESKTOP), ("dark", DESKTOP), ("phone", PHONE)):
                running[LATE].send_signal(signal.SIGSTOP)
                picture(browser, home, f"hosts-{name}", viewport, late)
                running[LATE].send_signal(signal.SIGCONT)
                time.sleep(INTERVAL)
            for name in ("light", "dark"):
                url = f"{home}host?name=web-1"
                picture(browser, url, f"host-{name}", TILES, "#tiles svg")
        finally:
            launcher.close()


if __name__ == "__main__":
    main()
