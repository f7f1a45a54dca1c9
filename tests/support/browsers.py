"""A real Chromium without a window, and what its pages complained of."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from support.processes import found

DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}

expect.set_options(timeout=30_000)  # ms

#: Runs in every page before anything else does.
_WITNESS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser that the system has; the test fails when there is none."""
    # Chromium refuses its sandbox to root; what it is shown here is our own.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found("chromium"), args=flags)
        yield browser
        browser.close()


class Tab:
    """A page of its own, and what went wrong in it."""

    def __init__(self, browser: Browser, **settings: Any) -> None:
        self._context = browser.new_context(**{"viewport": DESKTOP, **settings})
        self._context.add_init_script(_WITNESS)
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._asked)

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def _asked(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def close(self) -> None:
        """Leave the page."""
        self._context.close()


def accessibility_faults(page: Page) -> list[str]:
    """Return what axe-core holds against a page: the rule, and where it is broken."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    result = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert result["passes"], "axe-core looked at nothing"
    return [
        f"{fault['id']}: {node['html']} {node['failureSummary']}"
        for fault in result["violations"]
        for node in fault["nodes"]
    ]
