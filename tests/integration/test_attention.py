"""What needs attention, in a real browser and in ``top``: which hosts come first, and why."""

import csv
import json
import re
import subprocess
import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from pombo_wire import Collectors, Filesystems, Memory, Part, Temperatures
from support.browsers import DESKTOP, PHONE, Open, accessibility_violations
from support.pages import fetch, wait_until
from support.processes import BIN, Exporter, Launcher
from support.senders import Sender, failed_service
from support.status_page import home, host_url, row, shown, summaries
from support.terminals import top

TABLET: ViewportSize = {"width": 800, "height": 1000}
HOSTS = 300
AT_ONCE = 50  # hosts whose reports the receive buffer has room for


def healthy(
    *, data: float = 0.4, files: float = 0.1, available: float = 0.5, error: bool = False
) -> list[Part]:
    """Return the sections of a host.

    ``data`` and ``files`` are the shares of /var/lib/data and of its inodes that are used,
    ``available`` is that of the memory, and with ``error`` the sizes of /mnt/nfs are unknown.
    """
    free = 1000 * (1 - data)
    nfs = None if error else 600.0
    filesystems = Filesystems(
        ("/", "/var/lib/data", "/mnt/nfs"),
        ("/dev/sda1", "/dev/sdb1", "nas:/srv"),
        ("ext4", "xfs", "nfs4"),
        size=(1000.0, 1000.0, nfs),
        free=(600.0, free, nfs),
        available=(600.0, free, nfs),
        files=(1000.0, 1000.0, nfs),
        files_free=(900.0, 1000 * (1 - files), nfs),
        device_error=(0.0, 0.0, float(error)),
    )
    return [
        ("labels", {"site": "porto"}),
        ("memory", Memory(total=1000.0, available=1000 * available)),
        ("filesystems", filesystems),
    ]


class Fault(NamedTuple):
    """What a row of a host with a fault shows: the severity, the column marked, and the words."""

    severity: str
    column: str
    words: str


#: Of the three hundred hosts, those with one fault each.
FAULTS = {
    "db-151": Fault("critical", "disk", "disk /var/lib/data 98.5 % used"),
    "mail-2": Fault("critical", "disk", "inodes of /var/lib/data 99 % used"),
    "proxmox-2": Fault("critical", "curved", "memory 98 % used"),
    "edge-faro": Fault("warning", "lost", " % of datagrams lost in 10 min"),
    "backup-vps": Fault("warning", "clock", "clock 1 min 37 s ahead"),
    "nas-hot": Fault("warning", "", "temperature cpu temp1 96 % of critical"),
    "web-017": Fault("warning", "", "1 service failed: nginx.service"),
}

#: Of a smaller fleet, those with another fault.
OTHERS = {
    "dead": Fault("critical", "seen", "no report "),
    "twin": Fault("warning", "", "two agents: 127.0.0.1:"),
    "stale-nfs": Fault("warning", "", "1 filesystem with device errors: /mnt/nfs"),
    "pi-garage": Fault("warning", "", "1 collector failing: hwmon"),
}


def plain(exporter: Exporter, name: str, session: int, *numbers: int, **fields: Any) -> None:
    """Send plain datagrams of an agent, with these sequence numbers."""
    header = {"host": name, "session": session, "interval": 600, **fields}
    with Sender(name, exporter.port) as sender:
        for number in numbers:
            sender.raw(json.dumps({**header, "seq": number}).encode())


def report(exporter: Exporter, name: str, *parts: Part, interval: float = 600) -> None:
    """Send one report of an agent."""
    with Sender(name, exporter.port, interval=interval) as sender:
        sender.report(1, *parts)


def wait_for_hosts(exporter: Exporter, hosts: int, faults: Collection[str] = ()) -> None:
    """Wait until there are so many hosts, and these, no others, have a fault."""
    wait_until(
        lambda: [(host.severity, host.name) for host in summaries(exporter).hosts],
        lambda found: (
            len(found) == hosts
            and {name for severity, name in found if severity != "ok"} == {*faults}
        ),
        f"{hosts} hosts, and {len(faults)} with a fault",
    )


@pytest.fixture(scope="module")
def faulty(start_once: Launcher) -> Exporter:
    """An exporter with three hundred hosts, of which seven have one fault each."""
    exporter = start_once.exporter()
    calm = [f"app-{number:03}" for number in range(HOSTS - len(FAULTS))]
    for start in range(0, len(calm), AT_ONCE):
        for name in calm[start : start + AT_ONCE]:
            report(exporter, name, *healthy())
        wait_for_hosts(exporter, min(len(calm), start + AT_ONCE))
    report(exporter, "db-151", *healthy(data=0.985))
    report(exporter, "mail-2", *healthy(files=0.99))
    report(exporter, "proxmox-2", *healthy(available=0.02))
    temperatures = Temperatures(("cpu",), ("temp1",), celsius=(96.0,), crit=(100.0,))
    report(exporter, "nas-hot", *healthy(), ("temperatures", temperatures))
    report(exporter, "web-017", *healthy(), failed_service("nginx.service"))
    began = time.time_ns()
    plain(exporter, "backup-vps", began, 0, time=time.time() + 97)
    plain(exporter, "edge-faro", began, *(each for each in range(200) if each % 5))
    wait_for_hosts(exporter, HOSTS, FAULTS)
    return exporter


@pytest.fixture(scope="module")
def otherwise_faulty(start_once: Launcher) -> Exporter:
    """An exporter with hosts that have the other faults, and a healthy one."""
    exporter = start_once.exporter()
    report(exporter, "app-000", *healthy())
    report(exporter, "dead", *healthy(data=0.7), interval=0.3)
    report(exporter, "stale-nfs", *healthy(error=True))
    collectors = Collectors(("cpu", "hwmon"), seconds=(0.1, 0.1), success=(1.0, 0.0))
    report(exporter, "pi-garage", *healthy(), ("collectors", collectors))
    began = time.time_ns()
    plain(exporter, "twin", began, 0)
    plain(exporter, "twin", began - 10**9, 0)  # of another agent, which is refused
    plain(exporter, "twin", began, 1)
    wait_for_hosts(exporter, 1 + len(OTHERS), OTHERS)
    return exporter


def check_first_rows(page: Page, faults: Mapping[str, Fault]) -> None:
    """Check that the hosts with these faults are the first ones, and that they say why."""
    expect(page).to_have_title(f"{len(faults)} need attention · Pombo")
    button = page.get_by_role("button", name=f"{len(faults)} need attention")
    expect(button).to_be_visible()
    last = page.locator("#rows tr").nth(len(faults) - 1)
    expect(last).to_have_attribute("data-severity", "warning")
    names = shown(page)
    assert {*names[: len(faults)]} == {*faults}
    critical = [name for name in names if name in faults and faults[name].severity == "critical"]
    assert names[: len(critical)] == critical
    for name, fault in faults.items():
        expect(row(page, name)).to_have_attribute("data-severity", fault.severity)
        expect(row(page, name).locator(".warning")).to_contain_text(fault.words)
        if fault.column:
            marked = row(page, name).locator(f"td.{fault.column}[data-severity='{fault.severity}']")
            expect(marked).to_have_count(1)


@pytest.mark.parametrize("viewport", [DESKTOP, TABLET, PHONE], ids=["desktop", "tablet", "phone"])
def test_hosts_with_a_fault_are_first_and_say_why(
    faulty: Exporter, otherwise_faulty: Exporter, opened: Open, viewport: ViewportSize
) -> None:
    for exporter, faults in ((faulty, FAULTS), (otherwise_faulty, OTHERS)):
        page = opened(home(exporter), viewport=viewport).page
        check_first_rows(page, faults)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert accessibility_violations(page) == []


def test_healthy_row_has_no_mark_and_no_colour(faulty: Exporter, opened: Open) -> None:
    page = opened(home(faulty, "?sort=name")).page
    calm = row(page, "app-003")
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
    page = opened(home(faulty)).page
    button = page.get_by_role("button", name=f"{len(FAULTS)} need attention")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#rows tr")).to_have_count(len(FAULTS))
    assert {*shown(page)} == {*FAULTS}
    again = opened(page.url).page  # it is in the address
    expect(again.locator("#rows tr")).to_have_count(len(FAULTS))
    button.click()
    expect(page.locator("#shown")).to_have_text("")


def test_api_and_csv_have_the_reasons_of_each_fault(
    faulty: Exporter, otherwise_faulty: Exporter
) -> None:
    query = "?severity=critical&severity=warning"
    for exporter, faults in ((faulty, FAULTS), (otherwise_faulty, OTHERS)):
        asked = summaries(exporter, query).hosts
        assert {host.name for host in asked} == {*faults}
        for host in asked:
            [reason] = host.reasons
            assert faults[host.name].words in reason.text
            assert host.severity == reason.severity == faults[host.name].severity
        text = fetch(f"http://{exporter.target}/api/v1/hosts{query}&format=csv")
        lines = [*csv.DictReader(text.splitlines())]
        assert {line["name"] for line in lines} == {*faults}
        for line in lines:
            assert line["severity"] == faults[line["name"]].severity
            assert faults[line["name"]].words in line["reasons"]


def test_terminal_has_the_same_hosts_in_the_same_order_and_says_why(
    faulty: Exporter, opened: Open
) -> None:
    page = opened(home(faulty)).page
    expect(page.locator("#rows tr").nth(len(FAULTS))).to_be_visible()
    first = shown(page)[: len(FAULTS) + 1]
    with top(faulty, columns=160, lines=40) as terminal:
        screen = terminal.shows(f"{len(FAULTS)} need attention", *FAULTS)
        assert terminal.order()[: len(first)] == first
        for fault in FAULTS.values():
            assert fault.words in screen
        terminal.type("a")
        terminal.orders(*first[:-1])
        terminal.resize(80, 24)
        terminal.orders(*first[:-1])
    command = [str(BIN / "pombo-exporter"), "top", "--once", faulty.target]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert printed.returncode == 1
    lines = printed.stdout.splitlines()[1:]
    assert len(lines) >= HOSTS
    assert [line.split()[0] for line in lines[: len(first)]] == first


def test_page_of_a_host_begins_with_what_is_wrong(faulty: Exporter, opened: Open) -> None:
    page = opened(host_url(faulty, "db-151")).page
    expect(page.locator("#reasons li")).to_have_text(["disk /var/lib/data 98.5 % used"])
    expect(page.locator("#filesystems [data-severity='critical']")).to_have_count(1)
    expect(page.locator("#past")).to_be_hidden()
    assert accessibility_violations(page) == []
    page.goto(host_url(faulty, "app-003"))
    expect(page.locator("#tiles")).to_be_visible()
    expect(page.locator("#reasons")).to_be_hidden()


def test_host_that_is_down_keeps_its_last_values_and_curves_on_its_page(
    start: Launcher, opened: Open
) -> None:
    exporter = start.exporter()
    before = opened(host_url(exporter, "gone")).page
    with Sender("gone", exporter.port, interval=2) as sender:
        for moment in range(4):
            sender.report(moment, *healthy(data=0.7, available=0.25))
            expect(before.locator("#tiles strong").nth(1)).to_have_text("75 %")
    expect(before.locator("#state")).to_have_text("down")
    for page in (before, opened(host_url(exporter, "gone")).page):
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
    page = opened(home(exporter)).page
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
    page = opened(home(exporter), **({"viewport": viewport} if viewport else {})).page
    empty = page.locator("#empty")
    expect(empty).to_contain_text(f"3 datagrams have arrived at UDP port {exporter.port}")
    expect(empty).to_contain_text("all were refused")
    expect(empty).to_contain_text("2 refused as invalid field, the last one from 127.0.0.1: ")
    expect(empty).to_contain_text("1 refused as unknown form")
    expect(empty).to_contain_text("Check the field that the detail names.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessibility_violations(page) == []
