"""The ``node_*`` families of this host, compared with those of a real node_exporter."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pombo_exporter.metrics.node_families import NODE_FAMILIES, UNSUPPORTED
from support.collectors import default_excludes
from support.pages import Labels, Page, fetch_page, wait_until
from support.processes import Exporter, Launcher, found, free_port
from support.same_input import helps, types

NAME = "this host"
INTERVAL = 0.5  # seconds between reports

#: Seconds within which each value must agree once. Many values change all the time, and the
#: machine may be busy.
TIMEOUT = 90.0

#: Duration and success of each collector. The two programs have different collectors, with
#: different durations.
OF_COLLECTORS = ("node_scrape_collector_duration_seconds", "node_scrape_collector_success")

#: Collectors that node_exporter does not have, which have no ``node_*`` families either.
OURS = {frozenset({("collector", name)}) for name in ("containers", "top-processes")}

#: Families that count files or sockets, including those of the scrapes in this test.
OF_FILES = (
    "node_filefd_allocated",
    "node_netstat_Tcp_CurrEstab",
    "node_sockstat_TCP_alloc",
    "node_sockstat_TCP_inuse",
    "node_sockstat_sockets_used",
)
FILES = 6  # tolerance: both ends of a few connections

#: Files under /sys of hardware that a virtual machine does not have, as Linux shows it.
HARDWARE = {
    "class/dmi/id/bios_vendor": "Acme",
    "class/hwmon/hwmon0/fan1_input": "900",
    "class/hwmon/hwmon0/name": "chip",
    "class/hwmon/hwmon0/temp1_crit": "90000",
    "class/hwmon/hwmon0/temp1_input": "42000",
    "class/hwmon/hwmon0/temp1_label": "Core",
    "class/hwmon/hwmon0/temp1_max": "80000",
    "class/thermal/cooling_device0/cur_state": "1",
    "class/thermal/cooling_device0/max_state": "3",
    "class/thermal/cooling_device0/type": "Processor",
    "class/thermal/thermal_zone0/mode": "enabled",
    "class/thermal/thermal_zone0/passive": "0",
    "class/thermal/thermal_zone0/policy": "step_wise",
    "class/thermal/thermal_zone0/temp": "42000",
    "class/thermal/thermal_zone0/type": "x86",
}

#: The families that node_exporter makes of these files.
OF_HARDWARE = {
    "node_cooling_device_cur_state",
    "node_cooling_device_max_state",
    "node_dmi_info",
    "node_hwmon_chip_names",
    "node_hwmon_fan_rpm",
    "node_hwmon_sensor_label",
    "node_hwmon_temp_celsius",
    "node_hwmon_temp_crit_celsius",
    "node_hwmon_temp_max_celsius",
    "node_thermal_zone_temp",
}

#: Families whose labels are the states that processes and sockets are in at one moment: two
#: programs see them at two moments. On files, and on sockets that stay, they are compared exactly.
OF_A_MOMENT = {
    "node_processes_state",
    "node_processes_threads_state",
    "node_tcp_connection_states",
}

#: Filters, and collectors that are enabled by default, that newer versions have.
NEWER_FILTERS = {
    *("arp.device", "hwmon.chip", "hwmon.sensor", "interrupts.name", "qdisc.device"),
}
NEWER = {"dmmultipath", "kernel_hung", "watchdog"}

#: The agent's filters as flags of node_exporter. Debian has other defaults.
SAME_FILTERS = tuple(
    f"--collector.{name}-exclude={pattern or '^$'}"
    for name, pattern in default_excludes().items()
    if name not in NEWER_FILTERS and not name.startswith("containers.")
)


#: Collectors of both that are disabled by default, and what they need, as flags of both.
MORE = (
    *("--collector.buddyinfo", "--collector.interrupts", "--collector.ksmd", "--collector.lnstat"),
    *("--collector.meminfo_numa", "--collector.mountstats", "--collector.processes"),
    *("--collector.slabinfo", "--collector.tcpstat", "--collector.zoneinfo"),
    *("--collector.cgroups", "--collector.stat.softirq", "--collector.cpu.info"),
    *("--collector.sysctl", "--collector.sysctl.include=kernel.pid_max"),
    "--collector.sysctl.include-info=kernel.ostype",
)


class Both(NamedTuple):
    """Both exporters; ``alike`` if they exclude the same devices and mounts."""

    node: str
    pombo: Exporter
    alike: bool

    def scrape_node(self) -> Page:
        """Scrape node_exporter."""
        return fetch_page(self.node)


@pytest.fixture(
    scope="module",
    params=[(False, ()), (True, ()), (True, MORE)],
    ids=["Debian's defaults", "same filters", "more collectors"],
)
def both(request: pytest.FixtureRequest, start_once: Launcher) -> Both:
    alike: bool
    more: tuple[str, ...]
    alike, more = request.param
    where = f"127.0.0.1:{free_port()}"
    start_once.program(
        found("prometheus-node-exporter"),
        f"--web.listen-address={where}",
        *(SAME_FILTERS if alike else ()),
        *more,
    )
    exporter = start_once.exporter()
    start_once.agent(NAME, exporter, interval=f"{int(INTERVAL * 1000)}ms", flags=more)
    pair = Both(f"http://{where}/metrics", exporter, alike)
    wait_until(pair.scrape_node, bool, "node_exporter's first exposition")
    reported = ("node_time_seconds", "node_load1")
    wait_until(
        exporter.page,
        lambda exposition: all(
            exposition.value(name, instance=NAME) is not None for name in reported
        ),
        "the agent's first report",
    )
    next(windows(pair))
    return pair


class Window(NamedTuple):
    """A scrape of Pombo between two scrapes of node_exporter."""

    before: Page
    pombo: Page
    after: Page


def windows(both: Both) -> Iterator[Window]:
    """Scrape both exporters again and again, for ``TIMEOUT`` seconds."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        before = both.scrape_node()
        # Wait for the second report after that: of the first one, datagrams may be missing.
        pombo = scrape_after(both.pombo, before.answered_at + 1.5 * INTERVAL)
        yield Window(before, pombo, both.scrape_node())


def scrape_after(exporter: Exporter, least: float) -> Page:
    """Scrape Pombo until a report was made after ``least``, in Unix time."""
    return wait_until(
        exporter.page,
        lambda exposition: (exposition.value("node_time_seconds", instance=NAME) or 0) > least,
        "two reports made after the scrape of node_exporter",
    )


def test_families_are_exposed_except_those_that_are_documented_as_unsupported(both: Both) -> None:
    theirs, ours = types(both.scrape_node()), types(both.pombo.page())
    missing = theirs.keys() - ours.keys()
    assert len(theirs) > 150
    assert missing <= UNSUPPORTED.keys(), "add the reason to UNSUPPORTED"
    assert len(missing) <= 0.05 * len(theirs)


def test_no_family_that_is_documented_as_unsupported_is_exposed(both: Both) -> None:
    assert UNSUPPORTED.keys() & types(both.pombo.page()).keys() == set()


def test_families_have_the_same_types(both: Both) -> None:
    theirs, ours = types(both.scrape_node()), types(both.pombo.page())
    common = theirs.keys() & ours.keys()
    assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}


def test_families_have_the_same_help(both: Both) -> None:
    theirs, ours = helps(both.scrape_node()), helps(both.pombo.page())
    common = theirs.keys() & ours.keys()
    assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}
    assert len(common) > 150


def test_families_of_hardware_have_the_same_help_where_this_machine_has_none(
    tmp_path: Path, start: Launcher
) -> None:
    for name, text in HARDWARE.items():
        path = tmp_path / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="ascii")
    where = f"127.0.0.1:{free_port()}"
    start.program(
        found("prometheus-node-exporter"),
        f"--web.listen-address={where}",
        f"--path.sysfs={tmp_path}/sys",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in ("dmi", "hwmon", "thermal_zone")),
    )
    exposition = wait_until(
        lambda: fetch_page(f"http://{where}/metrics"), bool, "node_exporter's exposition"
    )
    ours = {family.name: family.help for family in NODE_FAMILIES}
    theirs = helps(exposition)
    assert {name: ours[name] for name in OF_HARDWARE} == {
        name: theirs.get(name) for name in OF_HARDWARE
    }


def test_labels_have_the_same_names_even_where_their_values_are_empty(both: Both) -> None:
    theirs, ours = both.scrape_node(), both.pombo.page()
    for family in types(theirs).keys() & types(ours).keys():
        names, own = (
            {name for labels in exposition.rows(family) for name, _ in labels}
            for exposition in (theirs, ours)
        )
        assert own - {"instance"} == names, family


def test_samples_have_the_same_labels(both: Both) -> None:
    theirs, ours = both.scrape_node(), both.pombo.page()
    for family in types(theirs).keys() & types(ours).keys():
        expected, exposed = theirs.stored(family), ours.stored(family, instance=NAME)
        if family in OF_COLLECTORS:
            newer = {frozenset({("collector", name)}) for name in NEWER}
            assert exposed.keys() - OURS <= expected.keys() | newer, family
        elif family in OF_A_MOMENT:
            assert exposed.keys() & expected.keys(), family
        elif both.alike:
            assert exposed.keys() == expected.keys(), family
        else:
            assert exposed.keys() >= expected.keys(), family


def test_values_lie_between_those_that_node_exporter_has_before_and_after(both: Both) -> None:
    wrong: dict[tuple[str, Labels], tuple[float | None, ...]] = {}
    agreed: set[tuple[str, Labels]] = set()
    for window in windows(both):
        wrong.clear()
        for family in types(window.before).keys() & types(window.pombo).keys():
            if family == "node_scrape_collector_duration_seconds":
                continue
            before, ours, after = (
                window.before.stored(family),
                window.pombo.stored(family, instance=NAME),
                window.after.stored(family),
            )
            for labels in before.keys() & after.keys():
                if family in OF_COLLECTORS and labels not in ours:
                    continue
                if (family, labels) in agreed:
                    continue
                slack = FILES if family in OF_FILES else 0
                if labels in ours and agree(before[labels], ours[labels], after[labels], slack):
                    agreed.add((family, labels))
                else:
                    wrong[family, labels] = before[labels], ours.get(labels), after[labels]
        if not wrong:
            assert len(agreed) > 300
            return
    pytest.fail(
        f"these values never agreed (node_exporter before, Pombo, node_exporter after): {wrong}"
    )


def agree(before: float, value: float, after: float, slack: float) -> bool:
    """Return whether a value lies between two others, or within 1 % of them if these differ."""
    least, most = sorted((before, after))
    largest = max(abs(least), abs(most))
    slack += 0.01 * largest if least != most else 1e-9 * largest
    return least - slack <= value <= most + slack


@pytest.mark.parametrize(
    ("before", "value", "after", "slack", "agrees"),
    [
        (100.0, 150.0, 200.0, 0.0, True),
        (100.0, 100.5, 100.0, 0.0, False),
        (100.0, 201.0, 200.0, 0.0, True),
        (100.0, 203.0, 200.0, 0.0, False),
        (200.0, 98.5, 100.0, 0.0, True),
        (200.0, 97.5, 100.0, 0.0, False),
        (-2.0, -3.0, -4.0, 0.0, True),
        (0.3, 0.1 + 0.2, 0.3, 0.0, True),
        (9.0, 5.0, 9.0, FILES, True),
        (9.0, 2.0, 9.0, FILES, False),
    ],
)
def test_constants_agree_exactly_and_others_within_a_hundredth(
    before: float, value: float, after: float, slack: float, *, agrees: bool
) -> None:
    assert agree(before, value, after, slack) is agrees
