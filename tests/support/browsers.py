"""A real headless Chromium, and the errors that its pages log."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from support.processes import found

DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}

expect.set_options(timeout=30_000)  # ms

#: Runs in every page before its own scripts.
_LOG_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


@contextmanager
def chromium(program: str | None = None) -> Iterator[Browser]:
    """Run the system's browser, or another program that does."""
    # Chromium has no sandbox for root, and needs none for pages of our own.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program or found("chromium"), args=flags
        )
        yield browser
        browser.close()


class Tab:
    """A page in its own browser context, the errors it logs and the dialogs it opens."""

    def __init__(self, browser: Browser, **settings: Any) -> None:
        self._context = browser.new_context(**{"viewport": DESKTOP, **settings})
        self._context.add_init_script(_LOG_VIOLATIONS)
        self.page: Page = self._context.new_page()
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("console", lambda message: self._on_console(message.type, message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._on_dialog)

    def _on_console(self, kind: str, text: str) -> None:
        if kind == "error":
            self.errors.append(text)

    def _on_dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def close(self) -> None:
        """Close the page and its context."""
        self._context.close()


#: Opens a URL in a new tab. Further arguments are settings of the tab's browser context.
Open = Callable[..., Tab]


@contextmanager
def tabs(browser: Browser) -> Iterator[Open]:
    """Give a function that opens tabs, and close them.

    Raises:
        AssertionError: when a tab logged an error or opened a dialog.
    """
    opened: list[Tab] = []

    def new(url: str, **settings: Any) -> Tab:
        tab = Tab(browser, **settings)
        opened.append(tab)
        tab.page.goto(url)
        return tab

    yield new
    errors = [error for tab in opened for error in tab.errors + tab.dialogs]
    for tab in opened:
        tab.close()
    assert not errors


def accessibility_violations(page: Page) -> list[str]:
    """Return the violations that axe-core finds in a page: the rule, and where."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    result = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert result["passes"], "axe-core checked nothing"
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
