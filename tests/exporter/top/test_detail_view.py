"""The lines about one host: what is wrong first, and everything that its agent reports."""

from itertools import pairwise

import pytest
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.severity import Severity
from pombo_exporter.top import detail_view
from pombo_exporter.views.schema import (
    Container,
    Core,
    Disk,
    Filesystem,
    HostDetail,
    Network,
    Process,
    Services,
    Temperature,
    UnitCount,
)
from support.senders import HOSTILE_NAMES
from support.summaries import detail, reason

GIBIBYTE = 2.0**30


def sick(text: str) -> HostDetail:
    """Return a host with everything, and a text wherever a host may have one."""
    return detail(
        text,
        [
            reason("disk", Severity.CRITICAL, text),
            reason("temperature", Severity.WARNING, f"{text} temp1"),
        ],
        labels={"note": text},
        system=text,
        cpu_usage_ratio=0.5,
        memory_total_bytes=8 * GIBIBYTE,
        memory_available_bytes=2 * GIBIBYTE,
        memory_used_ratio=0.75,
        swap_total_bytes=GIBIBYTE,
        swap_used_bytes=GIBIBYTE / 4,
        cores=[Core(str(number), number / 40) for number in (2, 9, 10, 11)],
        filesystems=[
            Filesystem("/", "/dev/sda1", "ext4", 100.0, 10.0, 90.0, 0.1, readonly=False),
            Filesystem(
                text, "/dev/sdb1", "ext4", 2 * GIBIBYTE, GIBIBYTE, 0.0, 0.985, readonly=False
            ),
        ],
        networks=[Network(text, 1e6, 1e5, 1.0, 2.0)],
        disks=[Disk(text, 1e6, 1e5)],
        containers=[Container("/a", text, "docker", 1.5, None, 1e6, None, None, None, None)],
        processes_by_cpu=[Process(7, text, text, "", None, 1.5, 1e6)],
        temperatures=[Temperature(text, "", "temp1", "", 91.0, None, 95.0)],
        services=Services([UnitCount("failed", 1.0), UnitCount("active", 70.0)], [text]),
    )


def lines(host: HostDetail, width: int) -> list[str]:
    return [line.plain for line in detail_view.lines(host, width, unicode=True)]


def test_what_is_wrong_is_first_and_everything_else_follows() -> None:
    shown = lines(sick("web"), 80)
    assert [line.strip() for line in shown[:2]] == [
        "! critical: disk web is bad",
        "! warning: temperature web temp1 is bad",
    ]
    sections = [line.split(" ─")[0] for line in shown if "──" in line]
    assert sections == [
        *("CPU", "MEMORY", "FILESYSTEMS", "NETWORKS", "DISKS", "TEMPERATURES", "SERVICES"),
        *("CONTAINERS AND SERVICES", "PROCESSES BY CPU"),
    ]
    text = "\n".join(shown)
    for words in (
        *("6.0 GiB of 8.0 GiB", "256 MiB of 1.0 GiB", "98 %!", "91 °C!", "critical 95 °C"),
        *("1 failed  70 active", "! web failed", "150 %", "docker", "1.50"),
    ):
        assert words in text


def test_fullest_filesystem_is_first_and_cores_are_in_the_order_of_the_api() -> None:
    text = "\n".join(lines(sick("/srv"), 80))
    places = [text.index(f" {core} ") for core in (" 2", " 9", "10", "11")]
    assert all(before < after for before, after in pairwise(places))
    assert text.index("\n/srv") < text.index("\n/  ")


@pytest.mark.parametrize("text", [*HOSTILE_NAMES, "\x1b[2J", "数据库" * 40, "\x9b7m", ""])
@pytest.mark.parametrize("width", [20, 80, 120, 200])
def test_texts_of_a_hostile_host_are_printable_and_do_not_widen_lines(
    text: str, width: int
) -> None:
    found = detail_view.lines(sick(text), width, unicode=True)
    assert all(line.plain.isprintable() for line in found)
    if width >= 80:
        assert max(line.cell_len for line in found) <= width
    assert detail_view.title(sick(text)).plain.isprintable()


def test_wide_screens_have_columns_side_by_side() -> None:
    first = next(line for line in lines(sick("web"), 200) if "CPU ──" in line)
    assert first.split(" ─")[0] == "CPU"
    assert "MEMORY ──" in first
    assert "FILESYSTEMS ──" in first


def test_host_that_is_down_says_that_its_values_are_old() -> None:
    shown = lines(detail("gone", state=State.DOWN, last_seen_age_seconds=61.7), 80)
    assert "last report 1 min 1 s ago: all values are those of that report" in shown[1]


def test_host_that_measured_nothing_needs_no_attention() -> None:
    shown = lines(detail("new"), 80)
    assert shown[0].strip() == "nothing needs attention"
    assert not any("──" in line for line in shown)


def test_long_lists_are_cut_and_counted() -> None:
    networks = [Network(f"veth{number}", 1.0, 1.0, None, None) for number in range(1000)]
    shown = lines(detail("router", networks=networks), 80)
    assert len(shown) < 300
    assert shown[-1].strip() == "and 744 more"
