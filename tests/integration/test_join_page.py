"""The page that adds a host, in a real browser."""

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from support.browsers import PHONE, Open, accessibility_violations
from support.certificates import password_hash
from support.joining import NewHost, agent_file, enrolled
from support.pages import fetch, wait_until
from support.processes import Exporter, Launcher
from support.sealing import KeyFiles
from support.senders import Sender, steady

WAITING = re.compile("^Waiting for the first report of")


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("agents")
    agent_file(folder)
    return f"--web.join-files={folder}"


def join(exporter: Exporter, query: str = "") -> str:
    return f"http://{exporter.target}/join{query}"


def waiting(page: Page) -> Any:
    return page.locator("#waiting")


def test_page_shows_the_host_as_soon_as_it_has_joined(
    start: Launcher, opened: Open, agents: str, tmp_path: Path
) -> None:
    keys = KeyFiles(tmp_path)
    sealed = f"--seal.key-file={keys.fleet}"
    exporter = start.exporter(agents, sealed)
    page = opened(join(exporter)).page
    expect(waiting(page)).to_have_text("Name the host, and this line says when it reports.")
    page.get_by_label("Name the host").fill("web 1")
    expect(waiting(page)).to_have_text(WAITING)
    assert page.url.endswith("/join?name=web+1")
    host = NewHost(tmp_path / "host")
    try:
        command, key = enrolled("web 1", f"--server={exporter.target}", agents, sealed)
        assert host.run(command, f"{key}\n").returncode == 0
        expect(waiting(page)).to_have_text("web 1 is live.")
        waiting(page).get_by_role("link", name="web 1").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("web 1")
    finally:
        host.close()


def test_copied_command_enrolls_the_host(start: Launcher, opened: Open, agents: str) -> None:
    exporter = start.exporter(agents)
    page = opened(join(exporter), permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_label("Name the host").fill("it's -1")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    server = f"--server=EXPORTER:{exporter.port}"
    assert copied == f"""pombo-exporter enroll {server} 'it'"'"'s -1'"""
    expect(page.get_by_role("button", name="Copy", exact=True)).to_be_visible()


@pytest.mark.parametrize("name", ["\x1b[201~$(id)\x0f", "a\x15'; id;'", "\u202ea", "\x7f"])
def test_command_has_no_character_that_a_terminal_acts_upon(
    start: Launcher, opened: Open, agents: str, name: str
) -> None:
    exporter = start.exporter(agents)
    page = opened(join(exporter, f"?name={quote(name)}")).page
    expect(page.locator("#enroll")).to_contain_text("printf")
    shown = page.locator("#enroll").text_content() or ""
    assert shown.isprintable()
    words = shown.partition("pombo-exporter ")[2]
    done = subprocess.run(["sh", "-c", f"printf '%s|' {words}"], capture_output=True, check=True)
    assert done.stdout.decode().split("|")[2] == name


def test_command_quotes_the_name_of_the_exporter(
    start: Launcher, opened: Open, agents: str
) -> None:
    exporter = start.exporter(agents)
    page = opened(join(exporter)).page
    # Whether such a name is looked up depends on the browser and the resolver.
    strange = "http://a$(id)b.localhost"
    page.route(
        f"{strange}/**",
        lambda route, request: route.fulfill(
            response=route.fetch(url=request.url.replace(strange, f"http://{exporter.target}"))
        ),
    )
    page.goto(f"{strange}/join")
    expect(page.locator("#enroll")).to_contain_text("NAME")
    shown = page.locator("#enroll").text_content() or ""
    words = shown.partition("pombo-exporter ")[2]
    done = subprocess.run(["sh", "-c", f"printf '%s|' {words}"], capture_output=True, check=True)
    server = f"--server=a$(id)b.localhost:{exporter.port}"
    given = ["enroll", server, f"--web.external-url={strange}", "NAME", ""]
    assert done.stdout.decode().split("|") == given


def test_command_is_copied_where_the_browser_has_no_clipboard(
    start: Launcher, opened: Open, agents: str
) -> None:
    exporter = start.exporter(agents)
    page = opened(join(exporter, "?name=pi")).page
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("getSelection().toString()").startswith("pombo-exporter enroll")


def test_page_follows_the_name_and_the_state_of_the_host(
    start: Launcher, opened: Open, agents: str
) -> None:
    exporter = start.exporter(agents)
    with Sender("first", exporter.port) as sender:
        sender.report(1.0, *steady(1.0))
        page = opened(join(exporter, "?name=first")).page
        expect(waiting(page)).to_have_text("first is live.")
        page.get_by_label("Name the host").fill("second")
        expect(waiting(page)).to_have_text(WAITING)
        page.get_by_label("Name the host").fill("first")
        expect(waiting(page)).to_have_text("first is live.")


def test_page_of_an_exporter_without_agents_says_how_else(start: Launcher, opened: Open) -> None:
    page = opened(join(start.exporter())).page
    expect(
        page.get_by_text("This exporter has no agents that a host could download")
    ).to_be_visible()
    expect(page.get_by_text("docs/install.md")).to_be_visible()
    expect(page.locator("#steps")).to_be_hidden()


def test_public_page_asks_for_no_password_and_looks_for_no_host(
    start: Launcher, opened: Open, agents: str, tmp_path: Path
) -> None:
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  alice: {password_hash('secret')}\n")
    flags = (agents, "--web.join-public", f"--web.config.file={config}")
    exporter = start.exporter(*flags, ready=False)
    wait_until(lambda: fetch(join(exporter)), bool, "the page")
    tab = opened(join(exporter, "?name=web-1"))
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.reload()
    expect(waiting(tab.page)).to_have_text(re.compile("the page of all hosts needs one"))
    paths = {url.partition(exporter.target)[2].partition("?")[0] for url in asked}
    assert "/join/files" in paths
    assert not [path for path in paths if not path.startswith(("/join", "/page/"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("settings", [{}, {"viewport": PHONE}], ids=["desktop", "phone"])
def test_page_is_accessible_and_fits(
    start: Launcher, opened: Open, agents: str, scheme: str, settings: dict[str, Any]
) -> None:
    page = opened(join(start.exporter(agents), "?name=x"), color_scheme=scheme, **settings).page
    expect(waiting(page)).to_have_text(WAITING)
    assert accessibility_violations(page) == []
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
