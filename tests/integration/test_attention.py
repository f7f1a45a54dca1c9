"""What needs attention, in a real browser and in ``top``: which hosts come first, and why."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pombo_exporter.views.schema import HostList
from pombo_wire import Collectors, Filesystems, Memory, Part, Temperatures
from support.browsers import PHONE, Tab, accessibility_violations, chromium
from support.pages import fetch, wait_until
from support.processes import BIN, Exporter, Launcher
from support.senders import Sender

TABLET = {"width": 800, "height": 1000}
HEALTHY = 30


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


Open = Callable[..., Tab]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Return a function that opens a tab. No tab may log an error or open a dialog."""
    tabs: list[Tab] = []

    def new(url: str, **settings: Any) -> Tab:
        tab = Tab(browser, **settings)
        tabs.append(tab)
        tab.page.goto(url)
        return tab

    yield new
    errors = [error for tab in tabs for error in tab.errors + tab.dialogs]
    for tab in tabs:
        tab.close()
    assert not errors


def summaries(exporter: Exporter, query: str = "") -> HostList:
    answer = fetch(f"http://{exporter.target}/api/v1/hosts{query}")
    return msgspec.json.decode(answer, type=HostList)


def healthy(*, data: float = 0.4, available: float = 0.5) -> list[Part]:
    """Return the sections of a host by the share of its disk and of its memory."""
    free = 1000 * (1 - data)
    filesystems = Filesystems(
        ("/", "/var/lib/data"),
        ("/dev/sda1", "/dev/sdb1"),
        ("ext4", "xfs"),
        size=(1000.0, 1000.0),
        free=(600.0, free),
        available=(600.0, free),
    )
    return [
        ("labels", {"site": "porto"}),
        ("memory", Memory(total=1000.0, available=1000 * available)),
        ("filesystems", filesystems),
    ]


#: Hosts with one fault each: the severity, the column that is marked, and what their row says.
FAULTS = {
    "db-151": ("critical", "disk", "disk /var/lib/data 98.5 % used"),
    "dead": ("critical", "seen", "no report since "),
    "proxmox-2": ("critical", "curved", "memory 98 % used"),
    "twin": ("warning", "", "two agents: 127.0.0.1:"),
    "backup-vps": ("warning", "clock", "clock 1 min 37 s ahead"),
    "hot": ("warning", "", "temperature cpu temp1 96 % of critical"),
    "pi-garage": ("warning", "", "1 collector failing: hwmon"),
}


def plain(exporter_port: int, name: str, session: int, **fields: Any) -> None:
    """Send one plain datagram of an agent."""
    header = {"host": name, "session": session, "seq": 0, "interval": 600, **fields}
    with Sender(name, exporter_port) as sender:
        sender.raw(json.dumps(header).encode())


@pytest.fixture(scope="module")
def faulty(start_once: Launcher) -> Exporter:
    """An exporter with thirty healthy hosts, and one host with each fault."""
    exporter = start_once.exporter()
    with ExitStack() as stack:

        def report(name: str, *parts: Part, interval: float = 600) -> None:
            sender = stack.enter_context(Sender(name, exporter.port, interval=interval))
            sender.report(1, *parts)

        for number in range(HEALTHY):
            report(f"app-{number:02}", *healthy())
        report("db-151", *healthy(data=0.985))
        report("dead", *healthy(data=0.7), interval=0.3)
        report("proxmox-2", *healthy(available=0.02))
        temperatures = Temperatures(("cpu",), ("temp1",), celsius=(96.0,), crit=(100.0,))
        report("hot", *healthy(), ("temperatures", temperatures))
        collectors = Collectors(("cpu", "hwmon"), seconds=(0.1, 0.1), success=(1.0, 0.0))
        report("pi-garage", *healthy(), ("collectors", collectors))
    began = time.time_ns()
    plain(exporter.port, "backup-vps", began, time=time.time() + 97)
    plain(exporter.port, "twin", began)
    plain(exporter.port, "twin", began - 10**9)  # of another agent, which is refused
    plain(exporter.port, "twin", began, seq=1)
    wait_until(
        lambda: [(host.severity, host.name) for host in summaries(exporter).hosts],
        lambda found: (
            len(found) == HEALTHY + len(FAULTS)
            and ("critical", "dead") in found
            and sum(severity != "ok" for severity, _ in found) == len(FAULTS)
        ),
        "all hosts and faults",
    )
    return exporter


def row(page: Page, name: str) -> Locator:
    link = page.get_by_role("rowheader").get_by_role("link", name=name, exact=True)
    return page.locator("#rows tr").filter(has=link)


def shown(page: Page) -> list[str]:
    return page.locator("#rows .name a").all_inner_texts()


@pytest.mark.parametrize("viewport", [None, TABLET, PHONE], ids=["desktop", "tablet", "phone"])
def test_hosts_with_a_fault_are_first_and_say_why(
    faulty: Exporter, opened: Open, viewport: Any
) -> None:
    page = opened(f"http://{faulty.target}/", **({"viewport": viewport} if viewport else {})).page
    expect(page).to_have_title(f"{len(FAULTS)} need attention · Pombo")
    first = page.locator("#rows tr").nth(len(FAULTS) - 1)
    expect(first).to_have_attribute("data-severity", "warning")
    names = shown(page)
    assert {*names[: len(FAULTS)]} == {*FAULTS}
    assert names[0] == "dead"
    for name, (severity, column, words) in FAULTS.items():
        expect(row(page, name)).to_have_attribute("data-severity", severity)
        expect(row(page, name).locator(".warning")).to_contain_text(words)
        if column:
            marked = row(page, name).locator(f"td.{column}[data-severity='{severity}']")
            expect(marked).to_have_count(1)
    assert accessibility_violations(page) == []


def test_healthy_row_has_no_mark_and_no_colour(faulty: Exporter, opened: Open) -> None:
    page = opened(f"http://{faulty.target}/?sort=name").page
    calm = row(page, "app-03")
    expect(calm).to_have_attribute("data-severity", "ok")
    assert calm.locator("[data-severity]:not([data-severity='ok'])").count() == 0
    greys = calm.evaluate(
        """row => [...row.querySelectorAll('.value, .word, .shape')].map(element => {
             const style = getComputedStyle(element);
             return element.matches('.shape') ? style.backgroundColor : style.color;
           })"""
    )
    for colour in greys:
        red, green, blue = (int(part) for part in colour[4:-1].split(","))
        assert max(red, green, blue) - min(red, green, blue) < 30, colour


def test_button_counts_the_hosts_that_need_attention_and_shows_only_them(
    faulty: Exporter, opened: Open
) -> None:
    page = opened(f"http://{faulty.target}/").page
    button = page.get_by_role("button", name=f"{len(FAULTS)} need attention")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#rows tr")).to_have_count(len(FAULTS))
    assert {*shown(page)} == {*FAULTS}
    again = opened(page.url).page  # it is in the address
    expect(again.locator("#rows tr")).to_have_count(len(FAULTS))
    button.click()
    expect(page.locator("#shown")).to_have_text("")


def test_api_and_terminal_have_the_same_hosts_in_the_same_order(
    faulty: Exporter, opened: Open
) -> None:
    asked = summaries(faulty, "?severity=critical&severity=warning").hosts
    assert {host.name for host in asked} == {*FAULTS}
    command = [str(BIN / "pombo-exporter"), "top", "--once", faulty.target]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert printed.returncode == 1
    lines = [line.split()[0] for line in printed.stdout.splitlines()[1:]]
    page = opened(f"http://{faulty.target}/").page
    expect(page.locator("#rows tr")).not_to_have_count(0)
    count = page.locator("#rows tr").count()
    assert lines[:count] == shown(page)[:count]
    assert "disk /var/lib/data 98.5 % used" in printed.stdout


def test_page_of_a_host_begins_with_what_is_wrong(faulty: Exporter, opened: Open) -> None:
    page = opened(f"http://{faulty.target}/host?name=db-151").page
    expect(page.locator("#reasons li")).to_have_text(["disk /var/lib/data 98.5 % used"])
    expect(page.locator("#filesystems [data-severity='critical']")).to_have_count(1)
    expect(page.locator("#past")).to_be_hidden()
    assert accessibility_violations(page) == []
    page.goto(f"http://{faulty.target}/host?name=app-03")
    expect(page.locator("#tiles")).to_be_visible()
    expect(page.locator("#reasons")).to_be_hidden()


def test_host_that_is_down_keeps_its_last_values_and_curves_on_its_page(
    start: Launcher, opened: Open
) -> None:
    exporter = start.exporter()
    before = opened(f"http://{exporter.target}/host?name=gone").page
    with Sender("gone", exporter.port, interval=2) as sender:
        for moment in range(4):
            sender.report(moment, *healthy(data=0.7, available=0.25))
            expect(before.locator("#tiles strong").nth(1)).to_have_text("75 %")
    expect(before.locator("#state")).to_have_text("down")
    for page in (before, opened(f"http://{exporter.target}/host?name=gone").page):
        expect(page.locator("#past")).to_contain_text("The last report came at ")
        expect(page.locator("#detail")).to_have_css("filter", "grayscale(1)")
        expect(page.locator("#tiles strong").nth(1)).to_have_text("75 %")
        expect(page.locator("#labels")).to_have_text("site=porto")
        expect(page.locator("#filesystems tr").first).to_contain_text("/var/lib/data")
        expect(page.locator("#tiles .axis").first).to_contain_text("last report")
        expect(page.locator("#tiles figure").nth(1).locator(".line").first).to_have_attribute(
            "d", re.compile("^M")
        )
    exposition = exporter.page()
    assert exposition.value("pombo_host_up", instance="gone") == 0
    assert "host_memory_total_bytes{" not in exposition.text


# --- the page without a host ---


def test_empty_page_says_for_how_long_no_datagram_has_arrived_where(
    start: Launcher, opened: Open
) -> None:
    exporter = start.exporter()
    page = opened(f"http://{exporter.target}/").page
    empty = page.locator("#empty")
    expect(empty).to_contain_text(
        f"No datagram has arrived at UDP port {exporter.port} since the exporter started, "
    )
    expect(empty).to_contain_text("3 s ago.")
    expect(empty.get_by_role("link")).to_have_attribute("href", "join")
    expect(empty).to_contain_text(f"sudo ufw allow {exporter.port}/udp")
    expect(empty).to_contain_text(f"pombo-agent check --server=127.0.0.1:{exporter.port}")
    assert accessibility_violations(page) == []
    with Sender("pi", exporter.port) as sender:
        sender.report(1)
        expect(row(page, "pi")).to_be_visible()
        expect(empty).to_be_hidden()
        sender.bye()
    expect(empty).to_contain_text(f"No host reports. The last datagram at UDP port {exporter.port}")


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_empty_page_says_why_all_datagrams_are_refused_and_what_to_do(
    start: Launcher, opened: Open, viewport: Any
) -> None:
    exporter = start.exporter()
    with Sender("pi", exporter.port) as sender:
        sender.raw(b"<b>no report</b>")
        sender.raw(b'{"host":5}')
        sender.raw(b'{"host":6}')
    page = opened(f"http://{exporter.target}/", **({"viewport": viewport} if viewport else {})).page
    empty = page.locator("#empty")
    expect(empty).to_contain_text(f"3 datagrams have arrived at UDP port {exporter.port}")
    expect(empty).to_contain_text("all were refused")
    expect(empty).to_contain_text("2 refused as invalid field, the last one from 127.0.0.1: ")
    expect(empty).to_contain_text("1 refused as unknown form")
    expect(empty).to_contain_text("Check the field that the detail names.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessibility_violations(page) == []
