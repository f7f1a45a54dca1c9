"""The status page in a real browser."""

import itertools
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect
from pombo_cli import human
from pombo_exporter.hosts.host import State
from pombo_exporter.top import table
from pombo_wire import ContainerDisks, Containers, Filesystems, Info, Memory, Part, System
from support.browsers import DESKTOP, PHONE, Open, Tab, accessibility_violations
from support.pages import fetch, wait_until
from support.processes import Exporter, Launcher
from support.senders import HOSTILE_NAMES, Sender, steady
from support.status_page import cell, home, host_url, row, shown, summaries

GIBIBYTE = 2**30
INTERVAL = 1.0  # seconds between two reports of the hosts here
COLOUR_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def memory(page: Page, name: str) -> Locator:
    return row(page, name).locator(".curved > .value").nth(1)


def machine(*, used: float, version: str = "tester 1.0") -> list[Part]:
    """Return the sections of a host; ``used`` is a ratio of its memory, its disk is half full."""
    total = 8.0 * GIBIBYTE
    filesystems = Filesystems(
        mountpoint=("/srv/data",),
        device=("/dev/sda1",),
        fstype=("ext4",),
        size=(100.0 * GIBIBYTE,),
        free=(50.0 * GIBIBYTE,),
        available=(50.0 * GIBIBYTE,),
    )
    return [
        ("info", Info(agent=version, system="Linux", release="6.1", machine="x86_64")),
        ("system", System(uptime=90_000.0, load1=0.5, load5=0.25, load15=0.125)),
        ("memory", Memory(total=total, available=total * (1 - used))),
        ("filesystems", filesystems),
    ]


def only_connection_errors(errors: list[str]) -> bool:
    return all("net::ERR_" in error for error in errors)


# --- states ---


def test_a_host_arrives_goes_late_and_down_and_returns(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    page = opened(home(exporter)).page
    expect(page.locator("#empty")).to_contain_text(f"--server=127.0.0.1:{exporter.port}")
    agent = start.agent("wanderer", exporter, interval="2s")
    state = row(page, "wanderer").locator(".state")
    expect(state).to_have_text("live")
    expect(row(page, "wanderer").locator(".number.curved .value").first).to_contain_text("%")
    agent.kill()
    expect(state).to_have_text("late")
    expect(page.get_by_role("button", name="1 late")).to_be_visible()
    expect(state).to_have_text("down")
    expect(page).to_have_title("1 needs attention · Pombo")
    expect(page.locator("#announcements")).to_have_text("wanderer is down.")
    expect(cell(page, "wanderer", "curved")).to_contain_text("%")  # as of its last report
    start.agent("wanderer", exporter, interval="2s")
    expect(state).to_have_text("live")
    expect(page).to_have_title("Pombo")


def test_a_host_whose_agent_stops_is_removed(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    agent = start.agent("guest", exporter)
    page = opened(home(exporter)).page
    expect(row(page, "guest")).to_be_visible()
    agent.end(signal.SIGTERM)
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(0)


def test_pages_reconnect_when_the_exporter_is_back(start: Launcher, browser: Browser) -> None:
    exporter = start.exporter()
    agent = start.agent("steady", exporter)
    with Sender("once", exporter.port, interval=600) as sender:
        sender.report(1, *machine(used=0.5))
    tab, detail = Tab(browser), Tab(browser)
    tab.page.goto(home(exporter))
    detail.page.goto(host_url(exporter, "steady"))
    expect(row(tab.page, "steady")).to_be_visible()
    expect(row(tab.page, "once")).to_be_visible()
    expect(detail.page.locator("#tiles")).to_be_visible()
    exporter.kill()
    for page in (tab.page, detail.page):
        expect(page.get_by_role("alert")).to_contain_text("The exporter does not answer.")
        expect(page.locator("main")).to_have_css("filter", "grayscale(1)")
        for scheme in COLOUR_SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert accessibility_violations(page) == []
    expect(row(tab.page, "steady").locator(".state")).to_have_text("live")
    start.exporter(port=exporter.port)
    for page in (tab.page, detail.page):
        expect(page.get_by_role("alert")).to_be_hidden()
    expect(row(tab.page, "steady").locator(".state")).to_have_text("live")
    expect(row(tab.page, "once")).to_have_count(0)  # the new exporter does not know it
    expect(detail.page.locator("#missing")).to_be_hidden()
    assert agent.runs
    assert only_connection_errors(tab.errors + detail.errors)
    tab.close()
    detail.close()


@pytest.mark.slow  # a dead connection is noticed after 45 s
def test_pages_say_so_when_the_exporter_hangs(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    start.agent("steady", exporter)
    fleet, detail = opened(home(exporter)).page, opened(host_url(exporter, "steady")).page
    expect(row(fleet, "steady").locator(".state")).to_have_text("live")
    expect(detail.locator("#state")).to_have_text("live")
    exporter.send_signal(signal.SIGSTOP)
    for page in (fleet, detail):
        expect(page.get_by_role("alert")).to_be_visible(timeout=70_000)
    exporter.send_signal(signal.SIGCONT)
    for page in (fleet, detail):
        expect(page.get_by_role("alert")).to_be_hidden()
    expect(detail.locator("#state")).to_have_text("live")


def test_age_of_the_last_report_grows_without_events(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    with Sender("silent", exporter.port, interval=600) as sender:
        sender.report(1, *machine(used=0.5))
        page = opened(home(exporter)).page
        seen = row(page, "silent").locator(".seen .value")
        for text in ("2 s", "3 s", "5 s"):
            expect(seen).to_have_text(text)


# --- hostile text ---

HOSTILE = (
    *HOSTILE_NAMES,
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    '" onmouseover="alert(1)',
    "</title></script><script>alert(1)</script>",
    "a/b?c=d&e=%2F#f",
)


@pytest.fixture(scope="module")
def hostile(start_once: Launcher) -> Exporter:
    """An exporter with hosts whose texts all try to break out of the page."""
    exporter = start_once.exporter()
    for name in HOSTILE:
        text = name[:30]
        filesystems = Filesystems(
            mountpoint=(text, "/"), device=(text, text), fstype=(text, text), size=(9.0, 9.0)
        )
        parts: list[Part] = [
            ("info", Info(agent=text, system=text, release=text, machine=text)),
            ("labels", {"label": text}),
            ("filesystems", filesystems),
            ("memory", Memory(total=9.0)),
        ]
        with Sender(name, exporter.port, interval=600) as sender:
            sender.report(1, *parts)
            sender.raw(b'{"host":5,"' + json.dumps(text).encode())
            sender.raw(json.dumps({"host": text, "interval": 0, text: 1}).encode())
    wait_until(
        lambda: {host.name for host in summaries(exporter).hosts},
        lambda names: names == set(HOSTILE),
        "the hostile hosts",
    )
    return exporter


_ELEMENTS = (
    "document.querySelectorAll('main :is(script, img, b, iframe, object, form, style)').length"
)


def test_text_of_hosts_becomes_no_element(hostile: Exporter, opened: Open) -> None:
    page = opened(home(hostile)).page
    expect(page.locator("#rows tr")).to_have_count(len(HOSTILE))
    assert sorted(page.locator("#rows .name a").evaluate_all(_HOSTS_LINKED)) == sorted(HOSTILE)
    # The page itself has four bold counts above the table.
    assert page.evaluate(_ELEMENTS) == len(["attention", "down", "late", "live"])
    expect(page.locator("#refusals tr")).not_to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


_HOSTS_LINKED = "links => links.map(link => new URL(link.href).searchParams.get('name'))"


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_the_page_of_a_hostile_host_shows_its_name_as_text(
    hostile: Exporter, opened: Open, number: int
) -> None:
    name = HOSTILE[number]
    page = opened(home(hostile)).page
    page.locator(f"#rows a[href='host?name={_encoded(name)}']").click()
    expect(page.locator("#detail")).to_be_visible()
    title = page.locator("#name").text_content()
    assert title == (human.printable(name) if name.strip() else f"“{name}”")
    assert page.evaluate(_ELEMENTS) == 0
    expect(page.locator("#filesystems tr")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _encoded(name: str) -> str:
    """Encode a name as JavaScript's encodeURIComponent does, within a CSS string."""
    return urllib.parse.quote(name, safe="!*()'-_.~").replace("'", "\\'")


def test_the_policy_forbids_inline_scripts_and_styles(hostile: Exporter, browser: Browser) -> None:
    tab = Tab(browser)
    tab.page.goto(home(hostile))
    expect(tab.page.locator("#rows tr")).to_have_count(len(HOSTILE))
    assert not tab.errors
    tab.page.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.textContent = "document.title = 'taken'"; } catch { }
          document.body.append(script);
          document.body.setAttribute("style", "display: none");
        }"""
    )
    wait_until(
        lambda: (tab.page.title(), "".join(tab.errors)),
        lambda found: "policy: style-src" in found[1],
        "the policy to forbid a style",
    )
    assert tab.page.title() != "taken"
    assert tab.page.locator("body").is_visible()
    tab.close()


# --- order, filter, keyboard ---


@pytest.fixture(scope="module")
def mixed(start_once: Launcher) -> Exporter:
    """An exporter with thirty different hosts, four of which are down."""
    exporter = start_once.exporter()
    dice = random.Random(5)
    for number in range(30):
        down = number % 7 == 3
        labels = {"rack": f"r{number % 3}", "site": "Porto" if number % 2 else "Lisboa"}
        parts: list[Part] = [("labels", labels), *machine(used=dice.randrange(1, 20) / 20)]
        interval = 0.5 if down else 600
        with Sender(f"host-{number:02}", exporter.port, interval=interval) as sender:
            sender.report(1, *parts)
    wait_until(
        lambda: [host.state for host in summaries(exporter).hosts],
        lambda states: states.count(State.DOWN) == 4 and len(states) == 30,
        "four hosts to be down",
    )
    return exporter


@pytest.mark.parametrize("key", [key for key in table.SortKey if key != table.SortKey.SEEN])
def test_the_order_is_that_of_the_terminal(mixed: Exporter, opened: Open, key: str) -> None:
    names = [host.name for host in table.rows(summaries(mixed).hosts, table.SortKey(key), "")]
    tall = {"width": 1440, "height": 2200}
    page = opened(home(mixed, f"?sort={key}"), viewport=tall).page
    expect(page.locator("#rows tr")).to_have_count(len(names))
    assert shown(page) == names


def test_a_columns_header_sorts_by_it_and_then_reverses_the_order(
    mixed: Exporter, opened: Open
) -> None:
    page = opened(home(mixed)).page
    header = page.get_by_role("columnheader", name="Host")
    expect(page.get_by_role("columnheader", name="State")).to_have_attribute(
        "aria-sort", "descending"
    )
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("#rows .name a").first).to_have_text("host-00")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#rows .name a").first).to_have_text("host-29")
    page.reload()
    expect(page.locator("#rows .name a").first).to_have_text("host-29")


@pytest.mark.parametrize("text", ["host-1", "RACK=r2", "site=porto", "nothing has this"])
def test_the_filter_finds_what_the_terminal_finds_and_is_in_the_address(
    mixed: Exporter, opened: Open, text: str
) -> None:
    names = {host.name for host in table.rows(summaries(mixed).hosts, table.SortKey.NAME, text)}
    page = opened(home(mixed)).page
    page.get_by_role("searchbox", name="Filter by name or label").fill(text)
    expect(page.locator("#rows tr")).to_have_count(len(names))
    assert set(shown(page)) == names
    again = opened(page.url).page
    expect(again.locator("#rows tr")).to_have_count(len(names))
    if not names:
        expect(again.locator("#empty")).to_contain_text("No host matches the filter.")


def test_a_press_on_a_state_shows_only_its_hosts(mixed: Exporter, opened: Open) -> None:
    page = opened(home(mixed)).page
    button = page.get_by_role("button", name="4 down")
    button.click()
    expect(page.locator("#rows tr")).to_have_count(4)
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#shown")).to_have_text("4 of 30 hosts")


def test_the_keyboard_alone_finds_a_host_and_opens_it(mixed: Exporter, opened: Open) -> None:
    page = opened(home(mixed, "?sort=name")).page
    expect(page.locator("#rows .name a").first).to_have_text("host-00")
    keys = page.keyboard
    keys.press("/")
    keys.type("host-2")
    expect(page.locator("#rows tr")).to_have_count(10)
    keys.press("ArrowDown")
    expect(page.get_by_role("link", name="host-20")).to_be_focused()
    for key, name in [
        ("ArrowDown", "host-21"),
        ("End", "host-29"),
        ("ArrowUp", "host-28"),
        ("Home", "host-20"),
        ("ArrowDown", "host-21"),
    ]:
        keys.press(key)
        expect(page.get_by_role("link", name=name)).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("heading", name="host-21", level=1)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("host-2")
    keys.press("/")
    keys.press("Escape")
    expect(page.locator("#rows tr")).not_to_have_count(10)


# --- values ---


SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
UNITS: dict[str, Fraction | int] = {unit: 1024**power for power, unit in enumerate(SIZES)}
UNITS |= {"d": 86400, "h": 3600, "min": 60, "s": 1}
UNITS |= {"ms": Fraction(1, 1000), "µs": Fraction(1, 10**6), "%": Fraction(1, 100), "": 1}


def number_in(text: str) -> Fraction:
    """Return the number that a text shows, in bytes, seconds or as a ratio."""
    sign = -1 if text.startswith("-") else 1
    found = re.findall(r"([\d.]+)(?: (\S+))?", text.strip("-").replace(",", "").removesuffix("/s"))
    return sign * sum((Fraction(amount) * UNITS[unit] for amount, unit in found), Fraction(0))


def test_values_have_the_same_text_on_the_page_and_on_the_terminal(
    mixed: Exporter, opened: Open
) -> None:
    dice = random.Random(11)
    edges = [0, 0.5, 1, 1.5, 2.5, 0.25, 0.125, 0.0625, 9.95, 59.5, 0.0995, 0.9995, 1023.5, 1e-7]
    grown = [sign * dice.random() * 10.0 ** dice.randrange(-7, 19) for sign in (1, -1) * 400]
    quarters = [dice.randrange(4000) / 16 for _ in range(400)]
    values = [*edges, *(1024.0 * edge for edge in edges), *grown, *quarters]
    texts = [
        *HOSTILE,
        "tab\tfeed\f",
        "soft\u00adhyphen",
        "no\u00a0break",
        "\U000e0001tag",
        "e\u0301",
    ]
    functions = {
        "size": human.size,
        "speed": human.speed,
        "ratio": human.ratio,
        "span": human.span,
        "number": human.number,
    }
    page = opened(home(mixed)).page
    printable, shown = page.evaluate(
        """async ([texts, names, values]) => {
          const human = await import("/page/human.js");
          const shown = names.map((name) => [...values, null].map((value) => human[name](value)));
          return [texts.map(human.printable), shown];
        }""",
        [texts, [*functions], values],
    )
    assert printable == [human.printable(text) for text in texts]
    for (name, text_of), (*of_values, of_null) in zip(functions.items(), shown, strict=True):
        assert of_null == human.UNKNOWN
        for value, text in zip(values, of_values, strict=True):
            expected = text_of(value)
            if text != expected:
                # Only a tie, such as 2.5 to the unit, may differ in its last digit: it goes to
                # the even one on the terminal, away from zero in the browser.
                exact = Fraction(100 * value) / 100 if name == "ratio" else Fraction(value)
                away, even = number_in(text) - exact, number_in(expected) - exact
                assert away == -even, (name, value, text, expected)
                assert (away > 0) == (value > 0), (name, value, text, expected)


def test_a_row_shows_the_values_of_the_api(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    with Sender("figures", exporter.port, interval=600) as sender:
        for moment in (100, 110):
            sender.report(moment, *machine(used=0.75), *steady(moment)[1:])
        page = opened(home(exporter)).page
        expect(cell(page, "figures", "network")).to_have_text("↓ 454 KiB/s")
        [host] = summaries(exporter).hosts
        for column, text in [
            ("interval", human.span(host.interval_seconds)),
            ("lost", human.ratio(host.datagram_loss_ratio)),
            ("address", host.address),
            ("agent", "tester 1.0"),
            ("disk", "50 %"),
        ]:
            expect(cell(page, "figures", column)).to_have_text(text)
        ratios = row(page, "figures").locator(".curved > .value").all_inner_texts()
        assert ratios == [human.ratio(host.cpu_usage_ratio), human.ratio(host.memory_used_ratio)]
        assert ratios == ["25 %", "75 %"]
        assert page.locator("#rows .mount").text_content() == "/srv/data"
        curve = row(page, "figures").locator(".curved .line").nth(1)
        # Memory at three quarters of the height, which is 24 units less one at each edge. It is the
        # only point, or the second one when a step has ended meanwhile.
        expect(curve).to_have_attribute("d", re.compile(r"[ML]96\.0 6\.5(h0\.01)?$"))


def test_the_page_of_a_host_shows_the_values_of_the_api(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    with Sender("figures", exporter.port, interval=600) as sender:
        gauges = ("gauges", {"room_temperature_celsius": 21.5, "tank_bytes": 2048.0})
        for moment in (100, 110):
            sender.report(moment, *machine(used=0.75), *steady(moment)[1:], gauges)
        page = opened(host_url(exporter, "figures")).page
        expect(page.locator("#cores li")).to_have_count(4)
        host = json.loads(fetch(f"http://{exporter.target}/api/v1/hosts/figures"))
        rows = _texts(page, "#networks tr")
        assert sorted(rows) == sorted(
            [
                found["device"],
                human.speed(found["receive_bytes_per_second"]),
                human.speed(found["transmit_bytes_per_second"]),
                f"{human.number(found['receive_lost_packets_per_second'])}/s",
                f"{human.number(found['transmit_lost_packets_per_second'])}/s",
            ]
            for found in host["networks"]
        )
        assert len(rows) == 30
        assert {row[0] for row in rows[:14]} == {f"dev{number}" for number in range(16, 30)}
        assert sorted(_texts(page, "#disks tr")) == sorted(
            [
                found["device"],
                human.speed(found["read_bytes_per_second"]),
                human.speed(found["write_bytes_per_second"]),
            ]
            for found in host["disks"]
        )
        assert _texts(page, "#filesystems tr") == [
            ["/srv/data", "50 %", "50.0 GiB", "100 GiB", "50.0 GiB", "/dev/sda1 (ext4)"]
        ]
        assert _texts(page, "#gauges tr") == [
            ["room_temperature_celsius", "21.5 °C"],
            ["tank_bytes", "2.0 KiB"],
        ]
        expect(page.locator("#facts")).to_contain_text("Linux 6.1 x86_64")
        expect(page.locator("#tiles")).to_contain_text("2.0 GiB of 8.0 GiB available")


#: CPU seconds per second of each container, its working set and its limit in MiB.
CONTAINERS = {"idle": (0.0, 32, 0), "busy": (1.5, 192, 256), "<b>odd</b>": (0.25, 256, 1024)}


def containers(moment: float) -> list[Part]:
    """Return the sections of containers, whose counters grow steadily."""
    names = tuple(CONTAINERS)
    cores, used, limits = zip(*CONTAINERS.values(), strict=True)
    ids = tuple(f"/docker/{name}" for name in names)
    table = Containers(
        id=ids,
        name=names,
        runtime=("docker",) * 3,
        cpu_usage=tuple(each * moment for each in cores),
        cfs_periods=(None, 10 * moment, 0.0),
        cfs_throttled_periods=(None, 4 * moment, 0.0),
        memory_working_set=tuple(float(each * 2**20) for each in used),
        memory_limit=tuple(float(each * 2**20) for each in limits),
        threads=(1.0, 1234.0, 7.0),
    )
    disks = ContainerDisks(
        id=(ids[1], ids[1]),
        device=("/dev/sda", "/dev/sdb"),
        name=("busy", "busy"),
        runtime=("docker", "docker"),
        read_bytes=(2048 * moment, 1024 * moment),
        written_bytes=(0.0, 4096 * moment),
    )
    return [("containers", table), ("container_disks", disks)]


def test_containers_and_services_are_shown_busiest_first(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    with Sender("figures", exporter.port, interval=600) as sender:
        sender.report(100, *machine(used=0.75))
        page = opened(host_url(exporter, "figures")).page
        expect(page.locator("#tiles")).to_be_visible()
        expect(page.get_by_role("heading", name="Containers and services")).to_be_hidden()
        sender.report(110, *machine(used=0.75), *containers(110))
        rows = page.locator("#containers tr")
        expect(rows).to_have_count(3)
        sender.report(120, *machine(used=0.75), *containers(120))
        expect(rows.first).to_contain_text("busy")
        assert _texts(page, "#containers tr") == [
            [
                *("busy", "docker", "1.5", "40 %", "192 MiB", "256 MiB", "75 %"),
                *("3.0 KiB/s", "4.0 KiB/s", "1,234"),
            ],
            [
                *("<b>odd</b>", "docker", "0.25", "0 %", "256 MiB", "1.0 GiB", "25 %"),
                *("-", "-", "7"),
            ],
            ["idle", "docker", "0", "-", "32.0 MiB", "-", "-", "-", "-", "1"],
        ]
        expect(rows.first.get_by_role("rowheader")).to_have_attribute("title", "/docker/busy")
        found = json.loads(fetch(f"http://{exporter.target}/api/v1/hosts/figures"))["containers"]
        busy = next(each for each in found if each["name"] == "busy")
        assert busy == {
            "id": "/docker/busy",
            "name": "busy",
            "runtime": "docker",
            "cpu_usage_cores": 1.5,
            "throttled_ratio": 0.4,
            "memory_working_set_bytes": 192 * 2**20,
            "memory_limit_bytes": 256 * 2**20,
            "read_bytes_per_second": 3072,
            "write_bytes_per_second": 4096,
            "threads": 1234,
        }
        assert accessibility_violations(page) == []


def test_table_of_many_containers_scrolls_within_the_page(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    names = tuple(f"worker-{number}.service" for number in range(400))
    table = Containers(
        id=tuple(f"/system.slice/{name}" for name in names),
        name=names,
        runtime=("systemd",) * 400,
        memory_working_set=tuple(map(float, range(400))),
    )
    with Sender("many", exporter.port, interval=600) as sender:
        sender.report(1, *machine(used=0.5), ("containers", table))
        for viewport in ({}, {"viewport": PHONE}):
            page = opened(host_url(exporter, "many"), **viewport).page
            expect(page.locator("#containers tr")).to_have_count(400)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            region = page.get_by_role("region", name="Containers and services")
            assert region.evaluate("region => region.scrollHeight > 2 * region.clientHeight")


#: A process whose texts would break a page or a terminal.
_HOSTILE_PROCESS = {
    "pid": ["4000000000", "7", "1"],
    "name": ["<img src=x onerror=alert(1)>", "\u202eevil\u2028&amp;" + "x" * 200, " "],
    "user": ["'\"><script>alert(2)</script>", "", "[bold]root[/]"],
    "command": ["", "-c <b>bold</b>", ""],
    "start_time": [1e300, None, 0],
    "cpu": [12.5, 0.25, 1e-9],
    "memory": [2.0**50, 2.0**40, 2048],
}


def _send_processes(
    sender: Sender, host: str, seq: int, table: dict[str, Any] | None = None
) -> None:
    header = {"host": host, "session": 2**62, "seq": seq, "parts": 1, "interval": 600}
    sender.raw(json.dumps({**header, "time": time.time(), "processes": table}).encode())


def test_processes_are_in_two_tables_which_follow_each_report(
    start: Launcher, opened: Open
) -> None:
    exporter = start.exporter()
    table = {
        "pid": ["812", "1"],
        "name": ["postgres", "init"],
        "user": ["postgres", "root"],
        "start_time": [time.time() - 90_000, time.time() - 200_000],
        "cpu": [1.25, 0.004],
        "memory": [2.0**30, 2.0**23],
    }
    with Sender("busy", exporter.port) as sender:
        _send_processes(sender, "busy", 0, table)
        page = opened(host_url(exporter, "busy")).page
        expect(page.get_by_role("heading", name="Processes by CPU")).to_be_visible()
        expect(page.get_by_role("heading", name="Processes by memory")).to_be_visible()
        assert _texts(page, "#processes-by-cpu tr") == [
            ["postgres", "125 %", "1.0 GiB", "postgres", "812", "1 d 1 h"],
            ["init", "0.4 %", "8.0 MiB", "root", "1", "2 d 7 h"],
        ]
        assert _texts(page, "#processes-by-memory tr") == [
            ["postgres", "1.0 GiB", "125 %", "postgres", "812", "1 d 1 h"],
            ["init", "8.0 MiB", "0.4 %", "root", "1", "2 d 7 h"],
        ]
        cron = {"pid": ["5"], "name": ["cron"], "command": ["cron -f"], "cpu": [0.5]}
        _send_processes(sender, "busy", 1, cron)
        expect(page.locator("#processes-by-cpu tr")).to_have_count(1)
        assert _texts(page, "#processes-by-cpu tr") == [["cron -f", "50 %", "-", "-", "5", "-"]]
        expect(page.get_by_role("heading", name="Processes by memory")).to_be_hidden()
        _send_processes(sender, "busy", 2)
        expect(page.get_by_role("heading", name="Processes by CPU")).to_be_hidden()


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_texts_of_processes_become_no_element(start: Launcher, opened: Open, viewport: Any) -> None:
    exporter = start.exporter()
    with Sender("evil", exporter.port) as sender:
        _send_processes(sender, "evil", 0, _HOSTILE_PROCESS)
        page = opened(
            host_url(exporter, "evil"), **({"viewport": viewport} if viewport else {})
        ).page
        expect(page.locator("#processes-by-cpu tr")).to_have_count(3)
        expect(page.locator("#processes-by-memory tr")).to_have_count(3)
        assert page.locator("tbody :is(img, b, script)").count() == 0
        rows = _texts(page, "#processes-by-cpu tr")
        assert rows[0][0] == "<img src=x onerror=alert(1)>"
        assert rows[0][3] == "'\"><script>alert(2)</script>"
        assert [row[0] for row in rows[1:]] == ["-c <b>bold</b>", "“ ”"]
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0
        assert accessibility_violations(page) == []


def test_busy_process_of_this_machine_is_on_the_page_of_its_host(
    start: Launcher, opened: Open
) -> None:
    exporter = start.exporter()
    # Only a datagram with nothing else has room for five processes whatever the machine is.
    flags = "--collector.disable-defaults", "--collector.top-processes"
    start.agent("here", exporter, interval="1s", flags=flags)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            page = opened(host_url(exporter, "here")).page
            pids = page.locator("#processes-by-cpu td:nth-child(5)")
            expect(pids.filter(has_text=re.compile(f"^{process.pid}$"))).to_have_count(1)
            row = page.locator("#processes-by-cpu tr").filter(has_text=str(process.pid))
            expect(row.locator("th")).to_have_text(re.compile("^python"))
            expect(row.locator("td").first).to_have_text(re.compile(r"^[\d.]{2,3} %$"))
            assert not exporter.page().text.count(f'"{process.pid}"')
        finally:
            process.kill()


def test_values_that_a_report_does_not_change_stay(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    labels = ("labels", {"rack": "r7"})
    with Sender("figures", exporter.port, interval=600) as sender:
        sender.report(1, labels, *machine(used=0.25))
        page = opened(host_url(exporter, "figures")).page
        memory_used = page.locator("#tiles strong").nth(1)
        expect(memory_used).to_have_text("25 %")
        sender.report(2, labels, *machine(used=0.5))
        expect(memory_used).to_have_text("50 %")
        expect(page.locator("#labels")).to_have_text("rack=r7")
        expect(page.locator("#facts")).to_contain_text("Linux 6.1 x86_64")
        expect(page.locator("#facts")).to_contain_text("tester 1.0")
        assert _texts(page, "#filesystems tr") == [
            ["/srv/data", "50 %", "50.0 GiB", "100 GiB", "50.0 GiB", "/dev/sda1 (ext4)"]
        ]


def test_families_show_their_type_and_values(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    with Sender("figures", exporter.port, interval=600) as sender:
        for moment in (100, 110):
            sender.report(moment, *machine(used=0.75), *steady(moment)[1:])
        page = opened(host_url(exporter, "figures")).page
        expect(page.locator("#cores li")).to_have_count(4)
        page.get_by_role("heading", name="All metric families").click()
        names = page.locator("#families code")
        expect(names).not_to_have_count(0)
        answer = json.loads(fetch(f"http://{exporter.target}/api/v1/hosts/figures/families"))
        assert names.all_text_contents() == [family["name"] for family in answer["families"]]
        types = page.locator("#families .type").all_text_contents()
        assert types == [family["type"] for family in answer["families"]]
        assert {"gauge", "counter"} <= set(types)
        page.get_by_role("searchbox").fill("host_cpu_usage_ratio")
        family = page.locator("#families details")
        expect(family).to_have_count(1)
        expect(family.locator(".type")).to_have_text("gauge")
        expect(family.locator("summary .value")).to_have_text("4 samples")
        family.locator("summary").click()
        samples = family.locator("li")
        expect(samples).to_have_count(4)
        expect(samples.first).to_have_text('cpu="0"25 %')
        page.get_by_role("searchbox").fill("host_memory_available_bytes")
        expect(family.locator("summary .value")).to_have_text("2.0 GiB")


#: The requests for families that ended: when each began and ended, in milliseconds.
_FAMILY_REQUESTS = """() => performance.getEntriesByType("resource")
  .filter(({name}) => name.endsWith("/families"))
  .map(({startTime, responseEnd}) => [startTime, responseEnd])"""


def test_families_are_requested_only_while_they_are_open(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    moments = itertools.count(1)
    with Sender("figures", exporter.port, interval=600) as sender:
        sender.report(next(moments), *machine(used=0.25))
        tab = opened(host_url(exporter, "figures"))
        page, memory_used = tab.page, tab.page.locator("#tiles strong").nth(1)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        url = f"http://{exporter.target}/api/v1/hosts/figures/families"
        expect(memory_used).to_have_text("25 %")
        sender.report(next(moments), *machine(used=0.5))
        expect(memory_used).to_have_text("50 %")
        assert url not in requests

        heading = page.get_by_role("heading", name="All metric families")
        heading.click()
        page.get_by_role("searchbox").fill("host_memory_available_bytes")
        value = page.locator("#families summary .value")
        expect(value).to_have_text("4.0 GiB")
        expect(page.locator("#facts")).to_contain_text("Last seen5 s ago")  # no report since
        assert requests.count(url) == 1
        sender.report(next(moments), *machine(used=0.75))
        expect(value).to_have_text("2.0 GiB")
        requested = requests.count(url)

        def made() -> list[list[float]]:
            sender.report(next(moments), *machine(used=0.75))
            found: list[list[float]] = page.evaluate(_FAMILY_REQUESTS)
            return found

        # Reports that come faster than families may be requested.
        times = wait_until(made, lambda found: len(found) >= requested + 2, "two more requests")
        for (began, ended), (next_began, _) in itertools.pairwise(times):
            assert next_began >= ended
            assert next_began - began >= 1990  # ms; one every 2 s, and a browser's clock is coarse

        heading.click()
        expect(value).to_be_hidden()
        requested = requests.count(url)
        sender.report(next(moments), *machine(used=1))
        expect(memory_used).to_have_text("100 %")
        sender.report(next(moments), *machine(used=0.5))
        expect(memory_used).to_have_text("50 %")
        assert requests.count(url) == requested


def test_families_stay_when_they_cannot_be_requested(start: Launcher, browser: Browser) -> None:
    exporter = start.exporter()
    agent = start.agent("steady", exporter)
    tab = Tab(browser)
    page = tab.page
    page.goto(host_url(exporter, "steady"))
    heading = page.get_by_role("heading", name="All metric families")
    heading.click()
    error, names = page.locator("#families .error"), page.locator("#families code")
    expect(names).not_to_have_count(0)
    expect(error).to_be_hidden()
    shown = names.all_text_contents()
    heading.click()
    exporter.end()
    heading.click()
    expect(error).to_contain_text("The families could not be loaded: ")
    expect(error).to_contain_text("The values below are older.")
    assert names.all_text_contents() == shown
    start.exporter(port=exporter.port)
    expect(error).to_be_hidden()
    assert agent.runs
    assert only_connection_errors(tab.errors)
    tab.close()


def _texts(page: Page, rows: str) -> list[list[str]]:
    found: list[list[str]] = page.locator(rows).evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return found


def test_an_unknown_host_is_shown_once_it_reports(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    page = opened(host_url(exporter, "later")).page
    expect(page.locator("#missing")).to_contain_text("There is no host with this name")
    start.agent("later", exporter)
    expect(page.locator("#state")).to_have_text("live")
    expect(page.locator("#missing")).to_be_hidden()


def test_refusals_are_shown_newest_first_and_limits_with_their_use(
    start: Launcher, opened: Open
) -> None:
    exporter = start.exporter("--limit.hosts=4", "--cluster.name=<b>Berlin</b> 2")
    with Sender("one", exporter.port, interval=600) as sender:
        sender.report(1, *machine(used=0.5))
        sender.raw(b"no <b>JSON</b>")
        wait_until(lambda: _refused(exporter), lambda count: count == 1, "the first refusal")
        sender.raw(b'{"host":5}')
        sender.raw(b'{"host":6}')
        page = opened(home(exporter)).page
        refusals = page.locator("#refusals tr")
        expect(refusals).to_have_count(2)
        expect(refusals.nth(0)).to_contain_text("invalid field")
        expect(refusals.nth(0).locator("td").nth(2)).to_have_text("2")
        expect(refusals.nth(1)).to_contain_text("unknown form")
        expect(refusals.nth(1).locator("td").nth(1)).to_have_text("127.0.0.1")
        expect(refusals.nth(1).locator("td").nth(4)).to_have_text("no <b>JSON</b>")
        expect(page.locator("#refused")).to_have_text(
            "Since the start: 2 invalid field, 1 unknown form."
        )
        expect(page.locator("#limits tr").first).to_contain_text("Hosts1425 %")
        for text in ("<b>Berlin</b> 2", f"{socket.gethostname()}:{exporter.port}"):
            expect(page.locator("#facts")).to_contain_text(text)
        sender.raw(b"again no JSON")
        expect(refusals.nth(0)).to_contain_text("again no JSON")


def _refused(exporter: Exporter) -> int:
    status = json.loads(fetch(f"http://{exporter.target}/api/v1/status"))
    return sum(status["datagrams_refused"].values())


# --- accessibility and phones ---


@pytest.mark.parametrize("scheme", COLOUR_SCHEMES)
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_violation_on_any_page(
    mixed: Exporter, hostile: Exporter, opened: Open, scheme: str, viewport: Any
) -> None:
    with Sender("nonsense", mixed.port) as sender:
        sender.raw(b"nonsense")
    settings = {"color_scheme": scheme, **({"viewport": viewport} if viewport else {})}
    for url in (home(mixed), host_url(mixed, "host-00"), home(hostile), home(mixed, "?q=none")):
        page = opened(url, **settings).page
        expect(
            page.locator("#rows tr, #detail:not([hidden]), #empty:not([hidden])").first
        ).to_be_visible()
        families = page.get_by_role("heading", name="All metric families")
        if families.count():
            families.click()
            expect(page.locator("#families code")).not_to_have_count(0)
        assert accessibility_violations(page) == []


#: What is on a page once it is loaded.
_LOADED = "#rows tr, #grid *, #empty, #detail, #missing, .join main"

#: Opens all that is folded.
_UNFOLD = "for (const each of document.querySelectorAll('details')) each.open = true"


@pytest.mark.slow  # 40 pages
@pytest.mark.parametrize("scheme", COLOUR_SCHEMES)
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_violation_in_any_view(
    mixed: Exporter, start: Launcher, opened: Open, scheme: str, viewport: ViewportSize
) -> None:
    for url in (
        home(mixed),
        home(mixed, "?group=site"),
        home(mixed, "?view=grid"),
        home(mixed, "?q=cpu>"),  # which is no filter
        home(mixed, "?q=none"),
        home(start.exporter()),  # without a host
        host_url(mixed, "host-00"),
        host_url(mixed, "host-03"),  # which is down
        host_url(mixed, "unknown"),
        home(mixed, "join"),
    ):
        page = opened(url, color_scheme=scheme, viewport=viewport).page
        expect(page.locator(_LOADED).filter(visible=True).first).to_be_visible()
        page.evaluate(_UNFOLD)
        families = page.locator("#families")
        if families.count() and families.is_visible():
            expect(page.locator("#families code")).not_to_have_count(0)
        assert accessibility_violations(page) == [], url
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), url


@pytest.mark.parametrize("path", ["/", "/host?name=host-00"])
def test_a_phone_does_not_scroll_sideways(mixed: Exporter, opened: Open, path: str) -> None:
    page = opened(f"http://{mixed.target}{path}", viewport=PHONE).page
    expect(page.locator("#rows tr, #detail:not([hidden])").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    name = page.locator("#rows .name a, #name").first
    box = name.bounding_box()
    assert box is not None
    assert 0 <= box["x"] < PHONE["width"]


# --- many hosts ---

MANY = 2000


@pytest.fixture(scope="module")
def crowd(start_once: Launcher) -> Iterator[tuple[Exporter, list[Sender]]]:
    exporter = start_once.exporter()
    with ExitStack() as stack:
        senders = [
            stack.enter_context(Sender(f"host-{number:04}", exporter.port, interval=600))
            for number in range(MANY)
        ]
        for number, sender in enumerate(senders):
            sender.report(1, *machine(used=0.5))
            if number % 50 == 49:  # so that the socket's buffer does not overflow
                wait_until(
                    lambda: len(summaries(exporter).hosts),
                    lambda count, sent=number + 1: count == sent,  # type: ignore[misc]
                    "the senders' first reports",
                )
        yield exporter, senders


#: Records the host's name of each row that changes, other than by its age.
_WATCH = """() => {
  window.changed = [];
  new MutationObserver((records) => {
    const rows = new Set();
    for (const {target} of records) {
      const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
      const row = element.closest("#rows tr");
      if (row && !element.closest(".seen")) rows.add(row.querySelector("a").textContent);
    }
    window.changed.push(...rows);
  }).observe(document.getElementById("rows"),
    {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def test_only_rows_in_view_exist_and_only_changed_ones_are_updated(
    crowd: tuple[Exporter, list[Sender]], opened: Open
) -> None:
    exporter, senders = crowd
    page = opened(home(exporter, "?sort=name")).page
    grid = page.locator("#table")
    expect(grid).to_have_attribute("aria-rowcount", str(MANY + 1))
    rows = page.locator("#rows tr")
    in_view = rows.count()
    assert in_view < 50
    assert rows.first.get_attribute("aria-rowindex") == "2"
    page.evaluate(_WATCH)
    for number in (3, 1500):  # one in view, one far below
        senders[number].report(2, *machine(used=0.25))
    expect(memory(page, "host-0003")).to_have_text("25 %")
    senders[4].report(2, *machine(used=0.25))
    expect(memory(page, "host-0004")).to_have_text("25 %")
    assert set(page.evaluate("window.changed")) == {"host-0003", "host-0004"}
    assert len(page.evaluate("window.changed")) <= 4  # a report may come in two datagrams
    page.evaluate("scrollTo(0, document.getElementById('rows').offsetTop + 1500 * 50 - 300)")
    expect(memory(page, "host-1500")).to_have_text("25 %")
    assert rows.count() < 50
    assert row(page, "host-1500").get_attribute("aria-rowindex") == "1502"


def test_the_keyboard_reaches_the_last_of_many_hosts(
    crowd: tuple[Exporter, list[Sender]], opened: Open
) -> None:
    page = opened(home(crowd[0], "?sort=name")).page
    expect(row(page, "host-0000")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    last = page.get_by_role("link", name=f"host-{MANY - 1}")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    page.mouse.wheel(0, -50_000)
    expect(row(page, f"host-{MANY - 1}")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    expect(last).to_be_focused()


@pytest.mark.slow
def test_grid_shows_many_hosts_and_changes_only_the_square_of_one_that_changed(
    crowd: tuple[Exporter, list[Sender]], opened: Open
) -> None:
    exporter, senders = crowd
    page = opened(home(exporter, "?sort=name&view=grid")).page
    squares = page.locator("#grid .square")
    expect(squares).to_have_count(MANY)
    expect(squares.nth(1200)).to_have_attribute("title", "host-1200")
    page.evaluate(
        """() => {
          window.changed = [];
          new MutationObserver((records) => {
            for (const { target } of records) window.changed.push(target.title.split("\\n")[0]);
          }).observe(document.getElementById("grid"),
            {subtree: true, childList: true, attributeFilter: ["title", "href", "data-severity"]});
        }"""
    )
    senders[1200].report(3, *machine(used=0.98))
    expect(squares.nth(1200)).to_have_attribute("data-severity", "critical")
    assert set(page.evaluate("window.changed")) == {"host-1200"}
