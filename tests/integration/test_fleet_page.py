"""The page of all hosts in a real browser: filter, totals, events, groups, grid and columns."""

import csv
import json
import random
import re
import urllib.parse
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Locator, Page, expect
from pombo_cli import human
from pombo_exporter.hosts.severity import REASONS
from pombo_exporter.views import filter as words
from pombo_exporter.views.schema import ExporterStatus
from pombo_wire import Filesystems, Info, Memory, Part, System
from support.browsers import PHONE, Open, accessibility_violations
from support.filters import FLEET, FOUND, NOW, WRONG
from support.pages import fetch, wait_until
from support.processes import Exporter, Launcher
from support.senders import HOSTILE_NAMES, Sender, steady
from support.status_page import home, row, shown, summaries

NARROW = {"width": 390, "height": 844}


def machine(*, used: float = 0.5, data: float = 0.4, labels: dict[str, str]) -> list[Part]:
    """Return the sections of a host by the shares of its memory and its disk that are used."""
    free = 1000 * (1 - data)
    filesystems = Filesystems(
        ("/srv",), ("/dev/sda1",), ("ext4",), size=(1000.0,), free=(free,), available=(free,)
    )
    return [
        ("info", Info(agent="tester 1.0")),
        ("labels", labels),
        ("memory", Memory(total=1000.0, available=1000 * (1 - used))),
        ("filesystems", filesystems),
    ]


def send(exporter: Exporter, name: str, *parts: Part, interval: float = 600) -> None:
    with Sender(name, exporter.port, interval=interval) as sender:
        sender.report(1, *parts)


SITES = ("porto", "faro", "row 7")
HOSTS = 40
FULL = ("host-03", "host-13")  # their disk
DOWN = "host-09"


@pytest.fixture(scope="module")
def fleet(start_once: Launcher) -> Exporter:
    """An exporter with forty hosts: two disks are full, one host is down."""
    exporter = start_once.exporter()
    for number in range(HOSTS):
        name = f"host-{number:02}"
        labels = {"site": SITES[number % 3], "rack": f"r{number % 10}"}
        parts = machine(used=number / 100, data=0.985 if name in FULL else 0.4, labels=labels)
        send(exporter, name, *parts, interval=0.5 if name == DOWN else 600)
    wait_until(
        lambda: [(host.name, host.severity) for host in summaries(exporter).hosts],
        lambda found: len(found) == HOSTS and (DOWN, "critical") in found,
        "forty hosts, one of them down",
    )
    return exporter


def searchbox(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Filter by name or label")


# --- filter ---


def test_page_and_exporter_filter_by_the_same_rules(fleet: Exporter, opened: Open) -> None:
    page = opened(home(fleet)).page
    found, wrong, reasons, most = page.evaluate(
        """async ([rows, now, filters, wrong]) => {
          const { parse, textsOf, FilterError, FIELDS, MOST_WORDS } =
            await import("/page/filter.js");
          const names = (text) => {
            const { matches } = parse(text);
            return rows.filter((row) => matches(row, textsOf(row), now)).map((row) => row.name);
          };
          const why = (text) => {
            try {
              return names(text);
            } catch (error) {
              return error instanceof FilterError ? error.message : String(error);
            }
          };
          return [filters.map(names), wrong.map(why), FIELDS.reason, MOST_WORDS];
        }""",
        [
            json.loads(msgspec.json.encode(FLEET)),
            NOW,
            [text for text, _ in FOUND],
            [text for text, _ in WRONG],
        ],
    )
    assert found == [names for _, names in FOUND]
    assert wrong == [message for _, message in WRONG]
    assert tuple(reasons) == REASONS
    assert most == words.MOST_WORDS


def test_any_filter_has_the_same_answer_on_the_page_and_in_the_exporter(
    fleet: Exporter, opened: Open
) -> None:
    dice = random.Random(3)
    pieces = [
        *("cpu>80", "mem", "-", '"', "\\", "state:", "d", "site=porto", "web", "<", ">=", "=", " "),
        *(":", "seen<", "9", "%", "min", "\t", "\u00a0", "İ", "ß", "Σ", "reason:", "loss>.5"),
    ]
    texts = ["".join(dice.choices(pieces, k=dice.randrange(1, 9))) for _ in range(3000)]

    def answer(text: str) -> Any:
        try:
            return [host.name for host in words.matching(FLEET, text)]
        except words.FilterError as error:
            return str(error)

    page = opened(home(fleet)).page
    answers = page.evaluate(
        """async ([rows, now, texts]) => {
          const { parse, textsOf } = await import("/page/filter.js");
          return texts.map((text) => {
            try {
              const { matches } = parse(text);
              return rows.filter((row) => matches(row, textsOf(row), now)).map((row) => row.name);
            } catch (error) {
              return error.message;
            }
          });
        }""",
        [json.loads(msgspec.json.encode(FLEET)), NOW, texts],
    )
    for text, found in zip(texts, answers, strict=True):
        assert found == answer(text), text


@pytest.mark.parametrize(
    "text",
    ["site=porto -rack=r3", "disk>95 severity:critical", "state:down", 'site="row 7" memory<=20%'],
)
def test_page_api_and_csv_have_the_same_hosts(fleet: Exporter, opened: Open, text: str) -> None:
    page = opened(home(fleet)).page
    expect(page.locator("#rows tr")).not_to_have_count(0)
    searchbox(page).fill(text)
    query = urllib.parse.urlencode({"filter": text})
    names = {host.name for host in summaries(fleet, f"?{query}").hosts}
    assert 0 < len(names) < HOSTS
    expect(page.locator("#shown")).to_have_text(f"{len(names)} of {HOSTS} hosts")
    assert {*shown(page)} == names
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    with download.value.path().open(encoding="utf-8", newline="") as file:
        assert {line["name"] for line in csv.DictReader(file)} == names


def test_wrong_filter_says_why_and_hides_no_host(fleet: Exporter, opened: Open) -> None:
    page = opened(home(fleet)).page
    filter_ = searchbox(page)
    filter_.fill("nothing")
    expect(page.locator("#empty")).to_be_visible()
    filter_.fill("disk>\u202e<b>")
    expect(page.get_by_text("write a number after >: disk>80")).to_be_visible()
    expect(page.locator("#wrong")).to_contain_text("'disk>\\u202e<b>'")
    expect(filter_).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#shown")).to_have_text("")
    assert accessibility_violations(page) == []
    filter_.fill("disk>95")
    expect(page.locator("#wrong")).to_be_hidden()
    expect(page.locator("#rows tr")).to_have_count(len(FULL))


def test_label_filters_on_a_press_and_the_filter_survives_a_visit_to_a_host(
    fleet: Exporter, opened: Open
) -> None:
    page = opened(home(fleet, "?sort=name")).page
    label = row(page, "host-02").get_by_role("button", name="site=row 7")
    label.click()
    expect(searchbox(page)).to_have_value('site="row 7"')
    expect(label).to_have_attribute("aria-pressed", "true")
    row(page, "host-02").get_by_role("button", name="rack=r2").click()
    expect(searchbox(page)).to_have_value('site="row 7" rack=r2')
    expect(page.locator("#rows tr")).to_have_count(2)
    row(page, "host-32").get_by_role("link").click()
    expect(page.get_by_role("heading", name="host-32", level=1)).to_be_visible()
    page.go_back()
    expect(searchbox(page)).to_have_value('site="row 7" rack=r2')
    expect(page.locator("#rows tr")).to_have_count(2)
    assert shown(page) == ["host-02", "host-32"]
    row(page, "host-32").get_by_role("link").click()
    page.get_by_role("link", name="All hosts").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    label.click()
    expect(searchbox(page)).to_have_value("rack=r2")


def test_host_that_time_alone_lets_match_appears(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    page = opened(home(exporter, "?q=seen>3s")).page
    send(exporter, "silent", *machine(labels={}))
    expect(page.locator("#shown")).to_have_text("0 of 1 hosts")
    expect(row(page, "silent")).to_be_visible()


# --- totals ---


def test_totals_are_those_of_the_api(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    with Sender("one", exporter.port) as one, Sender("two", exporter.port) as two:
        for moment in (100, 110):
            one.report(moment, *steady(moment), ("system", System(uptime=moment)))
            two.report(moment, *machine(used=0.75, labels={}))
        send(exporter, "gone", *machine(used=0.75, labels={}), interval=0.2)
        wait_until(
            lambda: {host.state for host in summaries(exporter).hosts},
            lambda states: "down" in states,
            "one host to be down",
        )
        page = opened(home(exporter)).page
        url = f"http://{exporter.target}/api/v1/status"
        totals = msgspec.json.decode(fetch(url), type=ExporterStatus).totals
        assert totals.cpu_cores == 4
        assert totals.cpu_busy_cores == pytest.approx(1.0)
        assert totals.memory_used_bytes == 750.0
        shown = page.locator("#totals .total")
        expect(shown).to_have_count(6)
        received = human.speed(totals.network_receive_bytes_per_second)
        for index, text in enumerate(
            [
                "Hosts3 2 live, 1 down",
                "CPU1 of 4 cores busy",
                "Memory750 B of 1000 B used",
                f"Network↓ {received} ↑ ",
                "Datagrams",
                "Loss0 % in 10 min",
            ]
        ):
            expect(shown.nth(index)).to_contain_text(text, use_inner_text=False)
        expect(shown.nth(4)).to_contain_text("/s")


# --- events ---


def event_texts(page: Page) -> list[str]:
    """Return the events on the page, newest first."""
    found: list[str] = page.locator("#event-log .what").all_text_contents()
    return found


def test_events_are_on_the_page_and_in_the_api(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    page = opened(home(exporter)).page
    log = page.locator("#event-log")
    expect(log.locator(".latest")).to_have_text("none yet")
    agent = start.agent("<b>wanderer</b>", exporter, interval="1s")
    expect(log.locator(".latest")).to_contain_text("<b>wanderer</b> is new")
    log.locator("summary").click()
    agent.kill()
    expect(log.locator(".what").first).to_have_text("<b>wanderer</b> is down")
    start.agent("<b>wanderer</b>", exporter, interval="1s")
    expect(log.locator(".what").filter(has_text="has a restarted agent")).to_be_visible()
    expect(log.locator(".what").filter(has_text="reports again")).to_be_visible()
    expect(log.locator("li")).to_have_count(4)
    assert log.locator("b").count() == 0
    assert accessibility_violations(page) == []
    url = f"http://{exporter.target}/api/v1/events"
    events = json.loads(fetch(url))["events"]
    assert sorted(event["kind"] for event in events) == ["back", "down", "new", "restarted"]
    last = events[0]["last_timestamp_seconds"]
    assert json.loads(fetch(f"{url}?since={last!r}"))["events"][0] == events[0]
    again = opened(home(exporter)).page
    again.locator("#event-log summary").click()
    expect(again.locator("#event-log li")).to_have_count(4)
    assert event_texts(again) == event_texts(page)
    again.locator("#event-log a").first.click()
    expect(again.get_by_role("heading", level=1)).to_have_text("<b>wanderer</b>")


def test_many_new_hosts_are_one_event(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    page = opened(home(exporter)).page
    page.locator("#event-log summary").click()
    for number in range(60):
        send(exporter, f"host-{number}", *machine(labels={}))
    expect(page.locator("#event-log .what").last).to_have_text(
        re.compile("^host-0, host-1, host-2, host-3, host-4 and [0-9]+ more are new$")
    )
    wait_until(
        lambda: sum(
            event["count"]
            for event in json.loads(fetch(f"http://{exporter.target}/api/v1/events"))["events"]
        ),
        lambda count: count == 60,
        "all hosts to be counted",
    )
    expect(page.locator("#event-log li")).to_have_count(
        len(json.loads(fetch(f"http://{exporter.target}/api/v1/events"))["events"])
    )


# --- groups and grid ---


def test_groups_count_their_severities_and_filter_on_a_press(fleet: Exporter, opened: Open) -> None:
    page = opened(home(fleet)).page
    page.get_by_label("Group by").select_option("site")
    groups = page.locator("#groups button")
    expect(groups).to_have_count(3)
    titles = [group.get_attribute("title") for group in groups.all()]
    critical = dict.fromkeys(SITES, 0)
    for name in (*FULL, DOWN):
        critical[SITES[int(name[-2:]) % 3]] += 1
    sizes = {site: len(range(index, HOSTS, 3)) for index, site in enumerate(SITES)}
    assert {*titles} == {
        f"{site}: {sizes[site]} hosts, {critical[site]} critical, 0 with a warning"
        for site in SITES
    }
    assert [int(re.findall(r"(\d+) critical", str(title))[0]) for title in titles] == sorted(
        critical.values(), reverse=True
    )
    page.get_by_role("button", name="row 7").filter(visible=True).first.click()
    expect(searchbox(page)).to_have_value('site="row 7"')
    expect(page.locator("#shown")).to_have_text(f"{sizes['row 7']} of {HOSTS} hosts")
    again = opened(page.url).page
    expect(again.locator("#groups button[aria-pressed='true']")).to_contain_text("row 7")


@pytest.mark.parametrize(("screen", "scheme"), [({}, "light"), ({"viewport": NARROW}, "dark")])
def test_grid_has_a_square_for_each_host_and_the_keyboard_reaches_all(
    fleet: Exporter, opened: Open, screen: Any, scheme: Any
) -> None:
    page = opened(home(fleet, "?group=site"), color_scheme=scheme, **screen).page
    page.get_by_role("button", name="Grid").click()
    squares = page.locator("#grid .square")
    expect(squares).to_have_count(HOSTS)
    expect(page.locator("#table")).to_be_hidden()
    assert [square.get_attribute("data-severity") for square in squares.all()[:4]] == [
        *["critical"] * 3,
        "ok",
    ]
    full = page.locator("#grid [title^='host-03']")
    expect(full).to_have_attribute("title", "host-03\ndisk /srv 98.5 % used")
    assert accessibility_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    squares.first.focus()
    page.keyboard.press("End")
    expect(squares.last).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(squares.nth(HOSTS - 2)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    tops = page.evaluate(
        "[document.activeElement, document.querySelector('.square')].map(each => each.offsetTop)"
    )
    assert tops[0] > tops[1]
    page.keyboard.press("Home")
    title = squares.first.get_attribute("title")
    assert title is not None
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=title.splitlines()[0], level=1)).to_be_visible()
    page.go_back()
    expect(squares).to_have_count(HOSTS)  # it is in the address


def test_focus_stays_on_its_host_when_the_squares_change(start: Launcher, opened: Open) -> None:
    exporter = start.exporter()
    for name in ("calm", "quiet"):
        send(exporter, name, *machine(labels={}))
    page = opened(home(exporter, "?view=grid")).page
    squares = page.locator("#grid .square")
    expect(squares).to_have_count(2)
    squares.first.focus()
    send(exporter, "full", *machine(data=0.99, labels={}))
    expect(squares.first).to_have_attribute("title", "full\ndisk /srv 99 % used")
    expect(page.locator("#grid [title='calm']")).to_be_focused()


# --- columns ---


def test_column_with_one_value_is_hidden_until_it_is_chosen(fleet: Exporter, opened: Open) -> None:
    page = opened(home(fleet), viewport={"width": 1900, "height": 900}).page
    lost = page.locator("th.lost")
    expect(row(page, DOWN)).to_be_visible()
    expect(lost).to_be_hidden()
    expect(page.locator("th.agent")).to_be_hidden()
    expect(page.locator("th.disk")).to_be_visible()
    page.get_by_text("Columns", exact=True).click()
    choice = page.locator("#columns li").filter(has_text="Agent")
    expect(choice).to_contain_text("tester 1.0 on every row")
    expect(choice.get_by_role("checkbox")).not_to_be_checked()
    choice.get_by_role("checkbox").check()
    expect(page.locator("th.agent")).to_be_visible()
    expect(row(page, DOWN).locator(".agent .value")).to_have_text("tester 1.0")
    page.locator("#columns li").filter(has_text="Fullest disk").get_by_role("checkbox").uncheck()
    expect(page.locator("th.disk")).to_be_hidden()
    tall = row(page, DOWN).bounding_box()
    page.get_by_role("checkbox", name="Compact rows").check()
    low = row(page, DOWN).bounding_box()
    assert tall is not None
    assert low is not None
    assert low["height"] < 0.7 * tall["height"]
    assert accessibility_violations(page) == []
    page.reload()
    expect(row(page, DOWN)).to_be_visible()
    expect(page.locator("th.disk")).to_be_hidden()
    expect(page.locator("th.agent")).to_be_visible()
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("th.disk")).to_be_visible()
    expect(page.locator("th.agent")).to_be_hidden()


# --- links, hostile names, phones ---


def test_pages_link_to_grafana_and_a_host_to_its_dashboard(start: Launcher, opened: Open) -> None:
    flags = "--web.grafana-url=https://grafana.example/x/", "--web.prometheus-url=http://p.example"
    exporter = start.exporter(*flags)
    name = "rack 7/<b>&\"'#?"
    send(exporter, name, *machine(labels={}))
    page = opened(home(exporter)).page
    link = page.get_by_role("link", name="Grafana")
    expect(link).to_have_attribute("href", "https://grafana.example/x/d/pombo-fleet")
    expect(page.get_by_role("link", name="Prometheus")).to_have_attribute(
        "href", "http://p.example/"
    )
    page.locator("#rows .name a").click()
    query = urllib.parse.urlencode({"var-instance": name})
    expect(link).to_have_attribute("href", f"https://grafana.example/x/d/pombo-host?{query}")


@pytest.mark.parametrize(("screen", "view"), [({}, ""), ({"viewport": NARROW}, "grid")])
def test_text_of_hosts_is_text_wherever_it_is_shown(
    start: Launcher, opened: Open, screen: Any, view: str
) -> None:
    exporter = start.exporter()
    names = (*HOSTILE_NAMES, "=1+1", "<img src=x onerror=alert(1)>")
    for name in names:
        labels = {"label": name[:60], "other": '"><script>alert(2)</script>'}
        send(exporter, name, *machine(labels=labels))
    wait_until(
        lambda: {host.name for host in summaries(exporter).hosts},
        lambda found: found == {*names},
        "the hostile hosts",
    )
    page = opened(home(exporter, f"?group=label&view={view}"), **screen).page
    expect(page.locator("#groups button")).to_have_count(len(names))
    page.locator("#event-log summary").click()
    expect(page.locator("#event-log li")).not_to_have_count(0)
    assert page.locator("main :is(script, img, iframe, style)").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessibility_violations(page) == []
    for index in range(len(names)):
        page.locator("#groups button").nth(index).click()
        expect(page.locator("#shown")).to_have_text(f"1 of {len(names)} hosts")
        expect(page.locator("#wrong")).to_be_hidden()
        page.locator("#groups button").nth(index).click()
        expect(page.locator("#shown")).to_have_text("")


@pytest.mark.parametrize("query", ["?sort=trouble", "?view=grid&group=site"])
def test_phone_does_not_scroll_sideways(fleet: Exporter, opened: Open, query: str) -> None:
    for viewport in (NARROW, PHONE):
        page = opened(home(fleet, query), viewport=viewport).page
        expect(page.locator("#rows tr, .square").first).to_be_attached()
        page.get_by_text("Syntax", exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        page.keyboard.press("Escape")
        expect(page.get_by_text("part of a name")).to_be_hidden()
        expect(page.get_by_text("Columns", exact=True)).to_be_hidden()  # cards have none
        assert accessibility_violations(page) == []
