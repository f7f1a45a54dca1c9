"""`make demo` in a browser: half of all reports is lost, and no byte is missing."""

import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsers import Tab, accessibility_violations, chromium
from support.pages import fetch, fetch_page, wait_until
from support.processes import Launcher, Process
from support.sessions import kill_members, members

HOSTS = 500
SCRAPE_SECONDS = 5  # with so few hosts


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the demonstration keeps its files."""
    found = tmp_path / "files"
    found.mkdir()
    return found


@pytest.fixture
def demo(start: Launcher, folder: Path) -> Iterator[Process]:
    """Run it on free ports, and kill what it leaves running."""
    process = start.program(
        *(sys.executable, "-m", "demo", f"--hosts={HOSTS}", "--interval=1", "--any-ports"),
        env={"TMPDIR": str(folder)},
        leads_session=True,
    )
    try:
        yield process
    finally:
        kill_members(process.pid)


def address(process: Process) -> str:
    printed = wait_until(lambda: process.log, lambda log: "Ctrl-C" in log, "the address", within=60)
    found = re.search(r"Open +(http://\S+)/", printed)
    assert found, printed
    return found[1]


def state_of(url: str) -> Callable[[], Any]:
    return lambda: json.loads(fetch(f"{url}/state"))


def card(page: Page, replica: str) -> Any:
    return page.locator(f"[data-replica={replica}]")


def figure(page: Page, name: str) -> Any:
    return page.locator(f"#figure-{name} strong")


def differences(page: Page) -> list[str]:
    return page.locator("#compared td:nth-child(4)").all_inner_texts()


def post(url: str, body: bytes = b"", **headers: str) -> int:
    """Return the status of a POST."""
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        return error.code
    return status


@pytest.mark.slow  # Prometheus scrapes every 5 s, and several scrapes have to follow each other
def test_half_of_all_reports_is_lost_and_an_exporter_killed_but_no_byte_is_missing(
    demo: Process, browser: Browser, folder: Path
) -> None:
    url = address(demo)
    state = state_of(url)
    tab = Tab(browser)
    page = tab.page
    page.goto(url)
    expect(page.locator("#compared tr")).to_have_count(4)
    expect(figure(page, "down")).to_have_text("0")
    expect(figure(page, "totals")).to_have_text("0")
    assert differences(page) == ["0"] * 4
    assert accessibility_violations(page) == []

    page.locator("#lost").fill("50")
    wait_until(state, lambda now: now["lost"] == 0.5, "the network to lose half")
    before = state()
    a, b = before["exporters"]
    card(page, "a").get_by_role("button", name="Kill it").click()
    expect(card(page, "a").locator(".running")).to_have_text("killed")
    expect(card(page, "b").get_by_role("button", name="Start it")).to_be_disabled()
    later = wait_until(
        state,
        lambda now: (
            now["exporters"][1]["sent"] > b["sent"] + 12 * HOSTS
            and now["totals"]["at"] > before["totals"]["at"]
        ),
        "twelve reports of each host",
        within=60,
    )
    lost, sent = (later["exporters"][1][key] - b[key] for key in ("lost", "sent"))
    assert 0.45 < lost / sent < 0.55
    replica = fetch_page(f"{b['url']}/metrics?collect[]=netdev")
    up = replica.rows("pombo_host_up")
    assert len(up) == HOSTS + 1  # and this one
    assert {*up.values()} == {1}

    card(page, "a").get_by_role("button", name="Start it").click()
    expect(card(page, "a").locator(".running")).to_contain_text("process")
    wait_until(
        lambda: len(fetch_page(f"{a['url']}/metrics?collect[]=netdev").rows("pombo_host_up")),
        lambda count: count == HOSTS + 1,
        "all hosts at the exporter that was killed",
        within=60,
    )
    scraped = time.time() + 2 * SCRAPE_SECONDS
    after = wait_until(
        state,
        lambda now: now["totals"]["at"] > scraped,
        "the totals of all hosts after the next scrape",
        within=60,
    )
    assert after["totals"]["count"] == after["totals"]["equal"] == 4 * HOSTS
    assert after["most_down"] == 0
    expect(page.locator("#compared tr")).to_have_count(4)
    assert differences(page) == ["0"] * 4
    assert figure(page, "totals").inner_text() == figure(page, "down").inner_text() == "0"
    assert not tab.errors
    tab.close()

    demo.send_signal(signal.SIGTERM)
    assert demo.ended() == 0
    assert members(demo.pid) == {}
    assert [*folder.iterdir()] == []


@pytest.mark.slow  # with the one before
def test_page_of_another_site_changes_nothing_and_ctrl_c_ends_everything(
    demo: Process, folder: Path
) -> None:
    url = address(demo)
    state = state_of(url)
    wait_until(state, bool, "the first state")
    bad = b'{"lost":1,"doubled":0,"delayed":0}'
    assert post(f"{url}/exporters/a/kill", Origin="https://example.org") == 403
    assert post(f"{url}/network", bad, Origin="https://example.org") == 403
    assert post(f"{url}/network", bad, Host="example.org") == 403
    assert post(f"{url}/network", bad.replace(b"1", b"2")) == 400
    assert post(f"{url}/exporters/c/kill") == 404
    assert post(f"{url}/network", bad.replace(b"1", b"0.25")) == 204
    wait_until(state, lambda now: now["lost"] == 0.25, "what this machine's own program asks for")
    assert all(exporter["runs"] for exporter in state()["exporters"])
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.ended() == 0
    assert members(demo.pid) == {}
    assert [*folder.iterdir()] == []
