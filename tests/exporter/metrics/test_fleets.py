"""Fleets of any hosts: rows that are read grouped and mixed have the same samples."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import astuple
from pombo_exporter.metrics.capture import GROUP_FROM
from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_wire import (
    ClockSources,
    Cpu,
    Disks,
    Filesystems,
    Interfaces,
    Memory,
    NetworkInfo,
    Networks,
    OpenFamily,
    Report,
    Swap,
    System,
    Table,
    TimeZone,
)
from prometheus_client.parser import text_string_to_metric_families as text
from support.builders import SESSION, Agent, Exporter, Series, disks, parsed, text_samples
from support.crafted import layout_of, packed
from support.model import all_derived, all_reported

SECONDS = 5.0

#: From no section grouped but those that one host has, to none at all.
GROUPED_FROM = (1, 2, 3, GROUP_FROM)

CORES = [("0",), ("0", "1"), ("0", "1", "2")]
DEVICES = [("lo",), ("lo", "eth0"), ("lo", 'veth"1"', "eth0")]
MOUNTS = [("/",), ("/", "/home"), ("/", "/a b", "/\\c")]

NUMBERS = [0.0, 1.0, 7.0, 7.5, 1234.25, 1e6, 2.0**53]
TOTALS = st.sampled_from(NUMBERS)
CELLS = st.none() | TOTALS
SIGNED = CELLS | st.sampled_from([-1.0, -2.5])

MEMINFO = st.sampled_from(
    ["MemTotal_bytes", "MemAvailable_bytes", "SwapTotal_bytes", "SwapFree_bytes", "x"]
)

Sections = dict[str, Any]


@dataclass(frozen=True)
class Host:
    """A host of a fleet: its reports, whether tables are divided, and its datagrams' form."""

    before: Sections | None
    last: Sections
    plan: int  # of the last report; that of the one before is 0
    divided: bool
    packed: bool


def columns(draw: st.DrawFn, kind: type[Table], rows: int, *names: str) -> dict[str, Any]:
    """Return some of the columns of a table."""
    found = {}
    for name in names:
        if draw(st.booleans()):
            cells = SIGNED if kind is Interfaces and name == "speed" else CELLS
            column = draw(st.tuples(*[cells] * rows))
            found[name] = None if set(column) == {None} else column
    return found


@st.composite
def sections(draw: st.DrawFn, shape: int) -> Sections:
    """Return sections of a host; hosts of one shape have the same rows."""
    found: Sections = {}
    cores, devices, mounts = CORES[shape], DEVICES[shape], MOUNTS[shape]
    modes = ("user", "system", "idle", "iowait", "guest")
    found["cpu"] = Cpu(cores, **columns(draw, Cpu, len(cores), *modes))
    names = ("receive_bytes", "receive_errors", "receive_drops", "transmit_bytes")
    more = columns(draw, Networks, len(devices), *names, "receive_packets")
    found["networks"] = Networks(devices, **more)
    more = columns(draw, Interfaces, len(devices), "up", "speed", "mtu")
    found["interfaces"] = Interfaces(devices, **more)
    more = columns(draw, Filesystems, len(mounts), "size", "free", "available")
    found["filesystems"] = Filesystems(mounts, ("x",) * len(mounts), ("y",) * len(mounts), **more)
    found["disks"] = Disks(("sda",), **columns(draw, Disks, 1, "read_bytes", "written_bytes"))
    clocks = ("tsc", "hpet")
    more = columns(draw, ClockSources, 2, "current")
    found["clock_sources"] = ClockSources(("0", "0"), clocks, **more)
    found["system"] = System(uptime=draw(CELLS), load1=draw(CELLS))
    found["time_zone"] = TimeZone(draw(st.sampled_from(["UTC", "CET"])), draw(st.none() | SIGNED))
    # Each host has an address of its own, or that of the others.
    address = draw(st.sampled_from(["same", "a", "b", "c"]))
    texts = [devices, (address,) * len(devices), *[("z",) * len(devices)] * 4]
    found["network_info"] = NetworkInfo(*texts)
    if draw(st.booleans()):
        found["memory"] = Memory(total=draw(CELLS), available=draw(CELLS), used=draw(CELLS))
        found["swap"] = Swap(total=draw(CELLS), free=draw(CELLS))
    else:
        found["meminfo"] = draw(st.dictionaries(MEMINFO, TOTALS, min_size=1))
    keys = st.sampled_from(["a", "b", "c"])
    found["vmstat"] = draw(st.dictionaries(keys, TOTALS, min_size=1))
    found["gauges"] = draw(st.dictionaries(keys.map("own_{}".format), TOTALS, min_size=1))
    found["families"] = draw(families(shape))
    return found


@st.composite
def families(draw: st.DrawFn, shape: int) -> dict[str, OpenFamily]:
    """Return open families: of one column, and of several."""
    devices = DEVICES[shape]
    column = st.tuples(*[TOTALS] * len(devices))
    labels = {"device": devices, "room": ("r",) * len(devices)}
    found = {"queue_length": OpenFamily("gauge", "Length.", labels, values=draw(column))}
    keys = draw(st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3, unique=True))
    several = {key: draw(column) for key in keys}
    found["packets_*_total"] = OpenFamily("counter", (), labels, columns=several)
    return found


@st.composite
def fleets(draw: st.DrawFn) -> list[Host]:
    """Return hosts of at most two shapes."""
    shapes = draw(st.lists(st.integers(0, len(CORES) - 1), min_size=1, max_size=2))
    found = []
    for _ in range(draw(st.integers(1, 5))):
        shape = sections(draw(st.sampled_from(shapes)))
        last = draw(shape)
        before = draw(st.sampled_from(["none", "same layout", "another layout"]))
        divided, packed = draw(st.booleans()), draw(st.booleans())
        if before == "none":
            found.append(Host(None, last, 0, divided, packed))
        elif before == "same layout":
            found.append(Host(with_numbers(last, draw(NEW_NUMBERS)), last, 0, divided, packed))
        else:
            found.append(Host(draw(shape), last, 1, divided, packed))
    return found


#: For each number another one.
NEW_NUMBERS = st.permutations(NUMBERS).map(lambda others: dict(zip(NUMBERS, others, strict=True)))


def with_numbers(found: Any, numbers: dict[float, float]) -> Any:
    """Return sections with other numbers."""
    if isinstance(found, dict):
        return {name: with_numbers(each, numbers) for name, each in found.items()}
    if isinstance(found, tuple):
        return tuple(with_numbers(each, numbers) for each in found)
    if isinstance(found, Struct):
        return type(found)(*with_numbers(astuple(found), numbers))
    return numbers.get(found, found) if isinstance(found, float) and found >= 0 else found


def datagrams(host: Host, parts: Sections) -> list[Sections]:
    """Return what each datagram of a report has; the rows of a table may be in two of them."""
    first, second = dict(parts), dict[str, Any]()
    if host.divided:
        for name, section in parts.items():
            if isinstance(section, Table) and len(astuple(section)[0]) > 1:
                first[name], second[name] = divided(section)
    one = {name: section for name, section in first.items() if name in _SMALL}
    rest = [{name: section} for name, section in first.items() if name not in _SMALL]
    return [one, *rest, *({name: section} for name, section in second.items())]


_SMALL = ("system", "time_zone", "gauges", "vmstat")


def divided(table: Table) -> tuple[Table, Table]:
    """Return the first row of a table, and the others."""
    columns = astuple(table)
    kind = type(table)
    return (
        kind(*(column and column[:1] for column in columns)),
        kind(*(column and column[1:] for column in columns)),
    )


def send(exporter: Exporter, hosts: list[Host]) -> dict[str, dict[Series, float]]:
    """Send all reports of hosts; return the samples of each that do not count datagrams."""
    agents = [Agent(exporter, f"host-{number}") for number in range(len(hosts))]
    for moment in (0, 1):
        for agent, host in zip(agents, hosts, strict=True):
            report, plan = (host.last, host.plan) if moment else (host.before, 0)
            if report is not None:
                agent.send_parts(*datagrams(host, report), plan=plan, packed=host.packed)
        exporter.wait(SECONDS)
    expected = {}
    for agent, host in zip(agents, hosts, strict=True):
        last = Report("x", **host.last)
        before = None if host.before is None else Report("x", **host.before)
        expected[agent.host] = all_reported(last) | all_derived(last, before, SECONDS)
    return expected


def exposed(exporter: Exporter, group_from: int) -> dict[str, dict[Series, float]]:
    """Return the samples of each host, without those about the hosts themselves."""
    exposition = exporter.exposition(group_from=group_from)
    found: dict[str, dict[Series, float]] = defaultdict(dict)
    for (name, host, labels), value in parsed(exposition, text).items():
        if not name.startswith("pombo_host_"):
            found[host][name, labels] = value
    return found


@settings(max_examples=60)
@given(fleets())
def test_samples_of_any_fleet_are_those_of_a_plain_model(hosts: list[Host]) -> None:
    exporter = Exporter()
    expected = send(exporter, hosts)
    for group_from in GROUPED_FROM:
        found = exposed(exporter, group_from)
        assert {host: {*samples} for host, samples in found.items()} == {
            host: {*samples} for host, samples in expected.items()
        }
        for host, samples in expected.items():
            assert found[host] == pytest.approx(samples, rel=1e-9, abs=1e-9)


@settings(max_examples=20)
@given(fleets())
def test_exposition_is_the_same_when_label_texts_are_not_kept(hosts: list[Host]) -> None:
    exporter = Exporter()
    send(exporter, hosts)
    kept = exporter.exposition(group_from=GROUPED_FROM[-1])
    assert exporter.exposition(group_from=GROUPED_FROM[-1], most_label_bytes=0) == kept


def test_rates_are_derived_whatever_the_order_of_the_columns() -> None:
    """A sender may put columns of which no rates are derived first, and leave out cells of all."""
    exporter = Exporter()
    member = {
        "labels": {"device": ["sda", "sdb", "sdc"]},
        "values": ["reads", "written_bytes", "io_now", "read_bytes"],
        "absent": [0, 4, 8, 9],
    }
    layout = layout_of(disks=member)
    for moment in (0, 1):
        for number in range(3):
            header = {
                "host": f"host-{number}",
                "session": SESSION,
                "seq": moment,
                "monotonic": SECONDS * moment,
                "parts": 1,
            }
            # reads of sdb and sdc; writes of sda and sdc; io_now of sda and sdb; reads of sdb, sdc
            numbers = [7, 7, 10 * number * moment, 20 * moment, 1, 1, 30 * moment, 40 * moment]
            line = json.dumps(numbers).encode()
            datagram = packed(layout, line, header=json.dumps(header).encode())
            exporter.take_datagram(datagram)
    written, read = "host_disk_write_bytes_per_second", "host_disk_read_bytes_per_second"
    for group_from in (1, GROUP_FROM):
        for number in range(3):
            found = exposed(exporter, group_from)[f"host-{number}"]
            rates = {key: value for key, value in found.items() if key[0] in (written, read)}
            assert rates == {
                (written, (("device", "sda"),)): 2 * number,
                (written, (("device", "sdc"),)): 4,
                (read, (("device", "sdb"),)): 6,
                (read, (("device", "sdc"),)): 8,
            }
            assert found["node_disk_io_now", (("device", "sdb"),)] == 1
            assert ("node_disk_io_now", (("device", "sdc"),)) not in found


def test_hosts_with_and_without_a_report_before_are_read_together() -> None:
    exporter = Exporter()
    agents = [Agent(exporter, f"host-{number}") for number in range(6)]
    for agent in agents[::2]:
        agent.send_parts({"disks": Disks(("sda",), read_bytes=(10.0,))})
    exporter.wait(SECONDS)
    for agent in agents:
        agent.send_parts({"disks": Disks(("sda",), read_bytes=(20.0,))})
    for group_from in (1, GROUP_FROM):
        found = exposed(exporter, group_from)
        series = "host_disk_read_bytes_per_second", (("device", "sda"),)
        rates = [found[agent.host].get(series) for agent in agents]
        assert rates == [2, None] * 3


@pytest.mark.parametrize("group_from", [1, GROUP_FROM])
def test_slot_that_has_expired_has_no_samples_even_before_a_sweep(group_from: int) -> None:
    exporter = Exporter()
    for number in range(4):
        report = Report(f"host-{number}", interval=1.0, disks=Disks(("sda",), reads=(1.0,)))
        exporter.take(report)
        exporter.take(Report(f"host-{number}", interval=60.0, arp=None, gauges={"x": 1.0}))
    exporter.now += 3
    found = exposed(exporter, group_from)
    assert {host: {*samples} for host, samples in found.items()} == {
        f"host-{number}": {("x", ())} for number in range(4)
    }


def test_rows_of_a_host_in_several_datagrams_are_read_together_however_short_steps_are() -> None:
    exporter, hosts = Exporter(), 600
    for moment in (0.0, 1.0):
        for number in range(hosts):
            agent = Agent(exporter, f"host-{number}", seq=int(3 * moment))
            agent.send_parts(
                *(
                    {"cpu": Cpu((str(core),), user=(moment * core,), idle=(moment,))}
                    for core in range(3)
                )
            )
        exporter.wait(SECONDS)
    slow = count(step=0.001)  # seconds: every step is too long

    def work(steps: StepClock) -> Iterator[bytes | None]:
        return exporter.exposition_pieces(steps=steps)

    pieces = asyncio.run(Pacer(clock=slow.__next__).collect(work))
    found = text_samples(b"".join(pieces).decode())
    averages = [found["host_cpu_average_usage_ratio", f"host-{n}", ()] for n in range(hosts)]
    assert averages == [0.5] * hosts


def test_section_of_many_hosts_of_which_few_are_up_is_read_with_those_of_single_hosts() -> None:
    exporter = Exporter()
    live = range(1_300)
    shared = {number for number in live if number % 10 == 0}
    for number in live:
        name = "sda" if number in shared else f"sd{number}"
        report = Report(f"host-{number}", interval=60.0, disks=disks(**{name: number}))
        exporter.take(report)
    for number in range(GROUP_FROM):
        exporter.take(Report(f"down-{number}", interval=1.0, disks=disks(sda=1)))
    exporter.now += 3
    found = exposed(exporter, GROUP_FROM)
    assert found == {
        f"host-{number}": {
            (
                "node_disk_read_bytes_total",
                (("device", "sda" if number in shared else f"sd{number}"),),
            ): number
        }
        for number in live
    }
