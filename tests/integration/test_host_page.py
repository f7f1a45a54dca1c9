"""The page of one host in a real browser: its cards, and its charts."""

import re
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from pombo_wire import (
    Containers,
    Cpu,
    Disks,
    Fans,
    Filesystems,
    Info,
    Memory,
    Networks,
    OpenFamily,
    Part,
    Pressure,
    SensorLabels,
    Swap,
    System,
    Temperatures,
)
from support.browsers import PHONE, Open, accessibility_violations
from support.pages import wait_until
from support.processes import Exporter, Launcher
from support.senders import Sender
from support.status_page import host_url

GIBIBYTE = 2.0**30
MARKUP = "<img src=x onerror=alert(1)>"

#: The cards of a host that reports everything, from the top.
CARDS = [
    *("CPU", "Memory", "Disks", "Network", "Temperatures and fans", "Pressure", "Services"),
    *("Containers and services", "Processes by CPU", "Processes by memory", "Own metrics"),
]


def everything(moment: float, text: str = "text") -> list[Part]:
    """Return sections of all that a page shows, with a text wherever a host may have one."""
    sensor = ((text,), ("temp1",))
    return [
        ("info", Info(agent=text, system="Linux", release="6.1", machine="x86_64")),
        ("labels", {"label": text}),
        ("system", System(uptime=90_000.0, load1=0.5, load5=0.25, load15=0.125)),
        (
            "cpu",
            Cpu(
                ("10", text, "2"),
                user=(moment / 2,) * 3,
                system=(moment / 4,) * 3,
                idle=(moment / 8,) * 3,
                steal=(moment / 8,) * 3,
            ),
        ),
        (
            "memory",
            Memory(
                total=8 * GIBIBYTE,
                available=0.5 * GIBIBYTE,
                free=0.25 * GIBIBYTE,
                buffers=0.75 * GIBIBYTE,
                cached=1.0 * GIBIBYTE,
            ),
        ),
        ("swap", Swap(total=2 * GIBIBYTE, used=0.5 * GIBIBYTE)),
        (
            "filesystems",
            Filesystems(
                (text,),
                (text,),
                (text,),
                size=(100 * GIBIBYTE,),
                free=(50 * GIBIBYTE,),
                available=(50 * GIBIBYTE,),
            ),
        ),
        ("disks", Disks((text,), read_bytes=(1024 * moment,), written_bytes=(2048 * moment,))),
        (
            "networks",
            Networks((text,), receive_bytes=(3072 * moment,), transmit_bytes=(0.0,)),
        ),
        ("pressure", Pressure(io_waiting=moment / 4, cpu_waiting=moment / 8)),
        ("temperatures", Temperatures(*sensor, celsius=(96.0,), crit=(100.0,))),
        ("sensor_labels", SensorLabels(*sensor, (text,))),
        ("fans", Fans((text,), ("fan1",), rpm=(1200.0,))),
        (
            "families",
            {
                "node_systemd_units": OpenFamily(
                    "gauge", labels={"state": (text, "failed")}, values=(70.0, 1.0)
                ),
                "node_systemd_unit_state": OpenFamily(
                    "gauge", labels={"name": (text,), "state": ("failed",)}, values=(1.0,)
                ),
            },
        ),
        (
            "containers",
            Containers((text,), (text,), (text,), memory_working_set=(GIBIBYTE,)),
        ),
        ("gauges", {"room_temperature_celsius": 21.5}),
    ]


def send_everything(exporter: Exporter, name: str, text: str) -> None:
    """Send two reports of a host, and its processes in a datagram that stands for itself."""
    with Sender(name, exporter.port, interval=600) as sender:
        for moment in (100.0, 110.0):
            sender.report(moment, *everything(moment, text))


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    """An exporter with a host that reports everything, and one whose texts are markup."""
    exporter = start_once.exporter()
    send_everything(exporter, "full", "text")
    send_everything(exporter, "hostile", MARKUP)
    return exporter


def titles(page: Page) -> list[str]:
    """Return the titles of the cards that are shown."""
    return page.locator("#tiles h2:visible").all_inner_texts()


def texts(page: Page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def cells(page: Page, selector: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("\t")] for row in texts(page, selector)]


# --- cards ---


def test_cards_come_in_order_and_have_what_the_host_reports(
    exporter: Exporter, opened: Open
) -> None:
    page = opened(host_url(exporter, "full")).page
    expect(page.locator("#cores li")).to_have_count(3)
    # Only an agent sends processes.
    assert titles(page) == [each for each in CARDS if not each.startswith("Processes")]
    assert texts(page, "#reasons li") == [
        "memory 93.8 % used",
        "temperature text temp1 96 % of critical",
        "1 service failed: text",
    ]
    assert texts(page, "#cpu .caption > *") == ["CPU", "88 %", "3 cores · load 0.5  0.25  0.125"]
    assert texts(page, "#modes li") == ["user\n50 %", "system\n25 %", "steal\n13 %", "idle\n13 %"]
    assert texts(page, "#cores .label") == ["2", "10", "text"]
    assert texts(page, "#parts li") == [
        *("used\n6.0 GiB", "buffers\n768 MiB", "cached\n1.0 GiB", "free\n256 MiB"),
    ]
    assert texts(page, "#swap li") == ["Swap\n512 MiB of 2.0 GiB"]
    assert texts(page, "#network strong") == ["↓ 3.0 KiB/s", "↑ 0 B/s"]
    assert cells(page, "#temperatures tr") == [["text text", "96 °C", "100 °C"]]
    expect(page.locator("#temperatures td").first).to_have_attribute("data-severity", "warning")
    assert cells(page, "#fans tr") == [["text fan1", "1,200 rpm"]]
    assert texts(page, "#pressures li") == ["CPU: some wait\n13 %", "I/O: some wait\n25 %"]
    assert texts(page, "#failed li") == ["text failed"]
    assert texts(page, "#units li") == ["70 text", "1 failed"]
    expect(page.locator("#glance")).to_contain_text("Linux 6.1 x86_64")
    for folded in (page.locator("#facts"), page.locator("#families .list")):
        expect(folded).to_be_hidden()
    page.locator("#about summary").click()
    expect(page.locator("#facts")).to_contain_text("Datagrams received")


def test_cards_without_values_are_left_out_until_there_are_some(
    exporter: Exporter, opened: Open
) -> None:
    with Sender("grows", exporter.port, interval=600) as sender:
        sender.report(1, ("gauges", {"x": 1.0}))
        page = opened(host_url(exporter, "grows")).page
        expect(page.locator("#gauges tr")).to_have_count(1)
        assert titles(page) == ["Own metrics"]
        sender.report(2, ("memory", Memory(total=8.0, available=2.0)))
        expect(page.locator("#memory strong")).to_have_text("75 %")
        assert titles(page)[0] == "Memory"
        expect(page.locator("#parts")).to_be_hidden()
        expect(page.locator("#swap")).to_be_hidden()


def test_no_text_of_a_host_becomes_an_element(exporter: Exporter, opened: Open) -> None:
    page = opened(host_url(exporter, "hostile")).page
    expect(page.locator("#cores li")).to_have_count(3)
    assert page.locator("main img").count() == 0
    for shown in ("#cores", "#filesystems", "#disks", "#networks", "#temperatures", "#fans"):
        expect(page.locator(shown)).to_contain_text(MARKUP)
    for shown in ("#failed", "#units", "#containers", "#labels", "#reasons"):
        expect(page.locator(shown)).to_contain_text(MARKUP)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_page_with_everything_is_accessible_and_as_wide_as_the_window(
    exporter: Exporter, opened: Open, scheme: str, viewport: Any
) -> None:
    settings = {"color_scheme": scheme, **({"viewport": viewport} if viewport else {})}
    for name in ("full", "hostile"):
        page = opened(host_url(exporter, name), **settings).page
        expect(page.locator("#cores li")).to_have_count(3)
        page.locator("#about summary").click()
        assert accessibility_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- charts ---


def plot(page: Page, card: str) -> Locator:
    return page.locator(f"#{card} .plot")


def test_choice_of_the_time_is_kept_and_needs_a_history(
    exporter: Exporter, start: Launcher, opened: Open
) -> None:
    page = opened(host_url(exporter, "full")).page
    expect(plot(page, "cpu")).to_have_attribute("aria-label", "CPU of the last 5 min")
    page.get_by_role("radio", name="5 min").press("ArrowRight")
    expect(page.get_by_role("radio", name="1 h")).to_be_checked()
    expect(plot(page, "network")).to_have_attribute("aria-label", "Network of the last 1 h")
    expect(plot(page, "memory")).to_have_attribute(
        "aria-valuetext", re.compile(r", used 94 %, at most 94 %$")
    )
    page.reload()
    expect(plot(page, "cpu")).to_have_attribute("aria-label", "CPU of the last 1 h")
    for flag, title in (("--web.history=90m", "1 h 30 min"), ("--web.history=0", None)):
        other = start.exporter(flag)
        send_everything(other, "full", "text")
        page = opened(host_url(other, "full")).page
        expect(page.locator("#cores li")).to_have_count(3)
        if title is None:
            expect(page.locator("#range")).to_be_hidden()
        else:
            expect(page.get_by_role("radio", name=title)).to_be_visible()


def test_thresholds_are_drawn_at_their_values(
    exporter: Exporter, start: Launcher, opened: Open
) -> None:
    other = start.exporter("--threshold.memory=0.5,off")
    send_everything(other, "full", "text")
    expected = {exporter: {"warning": 10.8, "critical": 3.9}, other: {"warning": 50.0}}
    for served, heights in expected.items():
        page = opened(host_url(served, "full")).page
        lines = page.locator("#memory .threshold")
        expect(lines).to_have_count(len(heights))
        for severity, height in heights.items():
            line = page.locator(f"#memory .threshold.{severity}")
            expect(line).to_have_attribute("d", f"M0 {height}H1000")
        expect(page.locator("#cpu .threshold")).to_have_count(0)


#: Makes two charts of given points above the host's own ones, with a crosshair of their own.
_MAKE = """async ({points, maxima, end}) => {
  const { Chart, Crosshair } = await import("/page/chart.js");
  const { Range } = await import("/page/history.js");
  const { ratio } = await import("/page/human.js");
  const crosshair = new Crosshair();
  const names = { title: "CPU", names: ["used"], fields: [0], format: ratio };
  const charts = [new Chart(crosshair, names), new Chart(crosshair, { ...names, title: "Other" })];
  const box = document.createElement("section");
  box.id = "own";
  box.append(...charts.map((chart) => chart.element));
  document.querySelector("main").prepend(box);
  const typed = (values) => values && [Float32Array.from(values, (value) => value ?? NaN)];
  const range = new Range(60, 5, end, typed(points), typed(maxima));
  for (const chart of charts) chart.draw(range, 1, [], "now");
}"""


def charts(page: Page, points: list[float | None], maxima: list[float | None] | None) -> Locator:
    page.evaluate(_MAKE, {"points": points, "maxima": maxima, "end": 1_800_000_000})
    return page.locator("#own .plot")


def test_curve_has_gaps_where_nothing_was_received(exporter: Exporter, opened: Open) -> None:
    page = opened(host_url(exporter, "full")).page
    charts(page, [0.5, 0.5, None, 1.0], None)
    line, area = page.locator("#own .line").first, page.locator("#own .area").first
    expect(line).to_have_attribute("d", "M250.0 50.0L500.0 50.0M1000.0 1.0h0.01")
    expect(area).to_have_attribute(
        "d", "M250.0 100L250.0 50.0L500.0 50.0L500.0 100ZM1000.0 100L1000.0 1.0L1000.0 100Z"
    )
    expect(page.locator("#own .max").first).to_have_attribute("d", "")


def test_keys_move_the_crosshair_of_all_charts_and_say_the_values(
    exporter: Exporter, opened: Open
) -> None:
    page = opened(host_url(exporter, "full"), timezone_id="UTC").page
    first, second = charts(page, [0.5, None, 0.25], [0.75, None, 0.5]).all()
    slider = page.locator("#own").get_by_role("slider", name="CPU of the last 5 min")
    slider.focus()
    for key, time, shown in [
        ("ArrowLeft", "08:00:00", "used 25 %, at most 50 %"),  # it begins at the newest
        ("ArrowLeft", "07:59:00", "nothing received"),
        ("ArrowLeft", "07:58:00", "used 50 %, at most 75 %"),
        ("ArrowLeft", "07:58:00", "used 50 %, at most 75 %"),
        ("ArrowRight", "07:59:00", "nothing received"),
        ("End", "08:00:00", "used 25 %, at most 50 %"),
        ("Home", "07:58:00", "used 50 %, at most 75 %"),
    ]:
        page.keyboard.press(key)
        text = f"2027-01-15 {time}, {shown}"
        for each in (first, second):
            expect(each).to_have_attribute("aria-valuetext", text)
            expect(each.locator(".readout")).to_be_visible()
        assert ", ".join(texts(page, "#own .readout >> nth=0 >> span")) == text
    page.keyboard.press("Escape")
    expect(page.locator("#own .readout:visible")).to_have_count(0)


def test_pointer_shows_the_values_below_it(exporter: Exporter, opened: Open) -> None:
    page = opened(host_url(exporter, "full"), timezone_id="UTC").page
    first, second = charts(page, [0.5, 0.75, 0.25], None).all()
    box = first.bounding_box()
    assert box is not None
    for share, text in [(1.0, "08:00:00, used 25 %"), (0.73, "07:59:00, used 75 %")]:
        page.mouse.move(box["x"] + share * box["width"] - 1, box["y"] + 20)
        for each in (first, second):
            expect(each).to_have_attribute("aria-valuetext", f"2027-01-15 {text}")
    page.mouse.move(box["x"] + 2, box["y"] + 20)  # before the first point
    expect(page.locator("#own .readout:visible")).to_have_count(0)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(page.locator("#own .readout:visible")).to_have_count(2)
    page.mouse.move(0, 0)
    expect(page.locator("#own .readout:visible")).to_have_count(0)


def test_host_that_is_down_has_its_curves_and_its_hour_in_grey(
    exporter: Exporter, opened: Open
) -> None:
    moments = count(1)
    with Sender("gone", exporter.port, interval=1) as sender:

        def curves() -> float | None:
            moment = next(moments)
            sender.report(moment, *everything(moment))
            return exporter.page().value("pombo_exporter_history_bytes")

        before = curves()
        wait_until(curves, lambda size: size != before, "a point of its curves", every=0.5)
    page = opened(host_url(exporter, "gone")).page
    expect(page.locator("#state")).to_have_text("down")
    expect(page.locator("#past")).to_contain_text("The last report came at ")
    expect(page.locator("#detail")).to_have_css("filter", "grayscale(1)")
    for choice in ("5 min", "1 h"):
        page.get_by_role("radio", name=choice).check(force=True)
        expect(page.locator("#memory .axis .end")).to_have_text("last report")
        expect(page.locator("#memory .line")).to_have_attribute("d", re.compile(r"[ML]1000\.0 "))
    assert titles(page)[0] == "CPU"
