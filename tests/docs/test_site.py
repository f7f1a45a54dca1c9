"""The site of the documents: all its links lead somewhere, and it needs no other host."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect
from support.browsers import Tab, chromium
from support.processes import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a link or an anchor without a target is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", f"--site-dir={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    for path in (ROOT / "docs").glob("*.md"):
        name = "" if path.stem == "index" else f"{path.stem}/"
        assert (site / f"{name}index.html").is_file()


def test_files_that_pages_link_to_are_in_the_site(site: Path) -> None:
    assert "honor_labels" in (site / "repository/prometheus.yml/index.html").read_text("utf-8")
    dictionary = "wire/pombo_wire/dictionaries/1.bin"
    assert (site / "repository" / dictionary).read_bytes() == (ROOT / dictionary).read_bytes()


LOADED = re.compile(
    r"""<(?:script|link|img|source|iframe)\b[^>]*?(?:src|href|srcset)=["'](?P<url>[^"']*)"""
)


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    for path in site.rglob("*.html"):
        for match in LOADED.finditer(path.read_text("utf-8")):
            assert "//" not in match["url"], path
    for path in [*site.rglob("*.css"), *site.rglob("*.js")]:
        assert not re.search(
            r"""(?:url\(|@import )["']?(?:https?:)?//""", path.read_text("utf-8")
        ), path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """Serve the site as it would be served anywhere."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.integration
def test_search_finds_a_page_without_other_hosts(url: str) -> None:
    foreign: list[str] = []

    def guard(route: Route) -> None:
        if route.request.url.startswith((url, "data:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    with chromium() as browser:
        tab = Tab(browser)
        tab.page.route("**/*", guard)
        with tab.page.expect_console_message(lambda message: "search ready" in message.text):
            tab.page.goto(url)
        tab.page.get_by_role("link", name="Search").click()
        tab.page.get_by_role("searchbox").press_sequentially("unknown_dictionary")
        link = tab.page.locator("#mkdocs-search-results a").first
        expect(link).to_have_attribute("href", re.compile("wire|upgrade"))
        link.click()
        expect(tab.page.locator("h1").first).to_be_visible()
        assert foreign == []
        assert tab.errors == []
        tab.close()
