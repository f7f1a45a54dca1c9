"""Views of hosts: the values of the exposition, and None for what is not known."""

import json
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pombo_exporter.hosts.host import State
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.capture import Capture
from pombo_exporter.runtime.pacing import StepClock
from pombo_exporter.views import describe, schema
from pombo_wire import (
    ContainerDisks,
    Containers,
    Cpu,
    Fans,
    Filesystems,
    Info,
    Memory,
    Networks,
    OpenFamily,
    Pressure,
    Report,
    SensorChips,
    SensorLabels,
    Swap,
    System,
    Temperatures,
    ThermalZones,
    Uname,
)
from support.builders import (
    ADDRESS,
    INTERVAL,
    OTHER_ADDRESS,
    SESSION,
    TABLE,
    Agent,
    Exporter,
    disks,
    restarted,
)
from support.crafted import packed, plain


def summary(agent: Agent) -> schema.HostSummary:
    host = agent.exporter.host(agent.host)
    [found] = describe.summaries([host], agent.exporter.now)
    return found


def detail(agent: Agent) -> schema.HostDetail:
    """Return all fields of a host, validated against the struct that describes the API."""
    host = agent.exporter.host(agent.host).copy()
    fields = dict(filter(None, describe.detail(host, agent.exporter.now, StepClock())))
    text = b",".join(msgspec.json.encode(name) + b":" + value for name, value in fields.items())
    found = msgspec.json.decode(b"{" + text + b"}", type=schema.HostDetail)
    assert {*fields} == {*found.__struct_fields__}
    return found


def families(agent: Agent) -> list[schema.SampleFamily]:
    """Return the families of a host, decoded from the JSON of the API."""
    exporter = agent.exporter
    host = exporter.host(agent.host)
    snapshot = Snapshot([host], host.values_at(exporter.now), exporter.wall)
    capture, steps = Capture(TABLE.measured, {}), StepClock()
    pieces = chain(capture.read(snapshot, steps), describe.families(TABLE, capture, steps))
    text = b"".join(filter(None, pieces))
    return msgspec.json.decode(text, type=schema.HostFamilies).families


def cpu(busy: float, idle: float) -> Cpu:
    return Cpu(("0", "1"), user=(busy, busy), idle=(idle, idle))


def networks(received: float, sent: float) -> Networks:
    return Networks(
        ("lo", "eth0", "wlan0"),
        receive_bytes=(1e9 * received, received, received),
        transmit_bytes=(1e9 * sent, sent, sent),
        receive_errors=(0.0, received, 0.0),
        receive_drops=(0.0, received, 0.0),
    )


def filesystems(**free: float) -> Filesystems:
    return Filesystems(
        tuple(f"/{name}" for name in free),
        ("d",) * len(free),
        ("ext4",) * len(free),
        size=(100.0,) * len(free),
        free=tuple(free.values()),
        available=tuple(0.9 * value for value in free.values()),
        readonly=tuple(float(name == "cd") for name in free),
    )


def measured() -> Agent:
    """Return an agent that has sent everything that a summary shows, twice."""
    agent = Agent()
    for busy, idle in ((10.0, 90.0), (11.0, 93.0)):
        agent.send(
            info=Info("pombo-agent 9", "Linux", "6.1", "riscv64"),
            labels={"rack": "7"},
            cpu=cpu(busy, idle),
            memory=Memory(total=200.0, available=50.0),
            swap=Swap(total=10.0, used=1.0),
            system=System(uptime=100.0, load1=0.5, load5=0.25),
            filesystems=filesystems(root=50.0, srv=10.0, cd=0.0),
            disks=disks(sda=busy),
            networks=networks(100 * busy, 200 * busy),
            temperatures=Temperatures(("c",), ("t1",), celsius=(-3.5,)),
            uname=Uname(sysname="Linux"),
            gauges={"room_temperature_celsius": 21.5},
        )
        agent.exporter.wait(INTERVAL)
    agent.exporter.now -= INTERVAL
    agent.exporter.wall -= INTERVAL
    return agent


def test_summary_has_what_was_measured_in_the_units_of_its_names() -> None:
    agent = measured()
    agent.exporter.now += 1
    found = summary(agent)
    assert found.name == "pi"
    assert found.state is State.LIVE
    assert found.last_seen_timestamp_seconds == agent.exporter.wall
    assert found.last_seen_age_seconds == pytest.approx(1)
    assert found.address == ADDRESS[0]
    assert found.agent_version == "pombo-agent 9"
    assert found.labels == {"rack": "7"}
    assert found.interval_seconds == INTERVAL
    assert found.cpu_usage_ratio == pytest.approx(0.25)
    assert found.cpu_cores == len(detail(agent).cores)
    assert (found.memory_total_bytes, found.memory_available_bytes) == (200, 50)
    assert found.memory_used_ratio == 0.75
    assert found.network_receive_bytes_per_second == pytest.approx(2 * 100 / INTERVAL)
    assert found.network_transmit_bytes_per_second == pytest.approx(2 * 200 / INTERVAL)
    assert found.uptime_seconds == 100


def test_fullest_filesystem_is_the_one_with_least_room_that_can_be_written_to() -> None:
    fullest = summary(measured()).fullest_filesystem
    assert fullest is not None
    assert fullest.mountpoint == "/srv"
    assert fullest.used_ratio == pytest.approx(90 / 99)
    agent = Agent()
    agent.send(filesystems=filesystems(cd=0.0))
    assert summary(agent).fullest_filesystem is None
    agent.send(filesystems=filesystems(empty=100.0))
    assert summary(agent).fullest_filesystem == schema.FullestFilesystem("/empty", 0.0)


def test_ratio_of_a_filesystem_is_that_of_the_dashboards() -> None:
    agent = measured()
    labels = {"mountpoint": "/root", "device": "d", "fstype": "ext4"}
    used = agent.exporter.value("host_filesystem_used_bytes", **labels)
    available = agent.exporter.value("host_filesystem_available_bytes", **labels)
    assert used is not None
    assert available is not None
    root = detail(agent).filesystems[0]
    assert (root.used_bytes, root.available_bytes) == (used, available)
    assert root.used_ratio == pytest.approx(used / (used + available))


def test_datagrams_are_counted_as_in_the_exposition() -> None:
    agent = Agent()
    for number in (0, 1, 4, 1, 3):
        agent.seq = number
        agent.send()
    agent.exporter.wait(2.5 * INTERVAL)
    found = summary(agent)
    assert found.datagrams_received == 5
    assert found.datagrams_lost == 1
    assert found.datagrams_duplicate == 1
    assert found.datagrams_reordered == 1
    assert found.state is State.LATE


def test_skipped_datagrams_of_the_longest_leap_are_an_exact_number() -> None:
    agent = Agent()
    for _ in range(3):
        agent.send()
        agent.seq = 2**63 - 1
        agent.send()
        agent.exporter.wait(8)
        agent = restarted(agent, seq=0)
    assert summary(agent).datagrams_skipped == 2**63 - 1
    assert summary(agent).datagrams_lost < 300


def test_summary_has_conflicts_and_clock_offset() -> None:
    agent = Agent()
    agent.send()
    other = Agent(agent.exporter, session=agent.session - 1, address=OTHER_ADDRESS)
    assert agent.exporter.refuses(other.report(), OTHER_ADDRESS) == "conflict"
    agent.send()
    found = summary(agent)
    assert found.conflicts == 1
    assert found.clock_offset_seconds == 0
    assert found.address == ADDRESS[0]


def test_host_that_sent_no_sections_has_no_measured_values() -> None:
    agent = Agent()
    agent.exporter.take(Report("pi"))
    found = summary(agent)
    unknown = [name for name in found.__struct_fields__ if getattr(found, name) is None]
    assert unknown == [
        "clock_offset_seconds",
        "cpu_usage_ratio",
        "cpu_cores",
        "memory_total_bytes",
        "memory_available_bytes",
        "memory_used_ratio",
        "fullest_filesystem",
        "busiest_process",
        "network_receive_bytes_per_second",
        "network_transmit_bytes_per_second",
        "uptime_seconds",
    ]
    fields = detail(agent)
    assert (families(agent), fields.cores, fields.gauges) == ([], [], {})
    assert (fields.processes_by_cpu, fields.processes_by_memory) == ([], [])


def test_first_report_has_no_rates() -> None:
    agent = Agent()
    agent.send(cpu=cpu(1, 1), networks=networks(1, 1))
    found = summary(agent)
    assert found.cpu_usage_ratio is None
    assert found.network_receive_bytes_per_second is None
    assert detail(agent).cores == [schema.Core("0", None), schema.Core("1", None)]


def test_host_that_is_down_keeps_the_values_of_its_last_report_until_it_is_forgotten() -> None:
    agent = measured()
    before, families_before = detail(agent), families(agent)
    assert families_before
    for seconds in (3 * INTERVAL, 600.0, 2900.0):
        agent.exporter.wait(seconds)
        found = detail(agent)
        assert found.state is State.DOWN
        changed = {
            name
            for name in found.__struct_fields__
            if getattr(found, name) != getattr(before, name)
        }
        assert changed == {"severity", "reasons", "state", "last_seen_age_seconds"}
        assert families(agent) == families_before
        assert [*agent.exporter.samples()] == [
            series for series in agent.exporter.samples() if series[0].startswith("pombo_host_")
        ]
    agent.exporter.wait(600)
    assert agent.exporter.roster.hosts == {}


def test_rate_of_a_session_that_goes_on_after_an_outage_is_the_average_of_it() -> None:
    agent = Agent()
    agent.send(disks=disks(sda=1000.0))
    agent.exporter.wait(100)
    agent.send(disks=disks(sda=3000.0))
    [disk] = detail(agent).disks
    assert disk.read_bytes_per_second == pytest.approx(20)


def test_new_session_of_a_host_that_was_down_starts_without_the_values_before() -> None:
    agent = measured()
    agent.exporter.wait(100)
    again = restarted(agent)
    again.send(memory=Memory(total=4.0))
    found = detail(again)
    assert (found.memory_total_bytes, found.disks, found.labels) == (4, [], {})


def test_device_that_is_no_longer_reported_is_dropped() -> None:
    agent = Agent()
    agent.send(disks=disks(sda=1.0, sdb=1.0))
    agent.run(4 * INTERVAL, disks=disks(sda=1.0))
    assert [disk.device for disk in detail(agent).disks] == ["sda"]


def test_summary_of_a_host_does_not_depend_on_other_hosts() -> None:
    exporter = measured().exporter
    others: list[dict[str, Any]] = [
        {},
        {"memory": Memory(total=4.0)},
        {"cpu": cpu(1.0, 1.0), "networks": networks(5, 5)},
        {"filesystems": filesystems(a=1.0, b=2.0)},
        {"networks": Networks(("lo",), receive_bytes=(1.0,))},
    ]
    names = []
    for number, sections in enumerate(others):
        names.append(f"host-{number}")
        other = Agent(exporter, host=names[-1])
        other.send(**sections)
    hosts = [exporter.host(name) for name in (*names[:2], "pi", *names[2:])]
    together = describe.summaries(hosts, exporter.now)
    assert together == [describe.summaries([host], exporter.now)[0] for host in hosts]
    assert together[2].cpu_usage_ratio == pytest.approx(0.25)


def test_families_have_every_measured_sample_of_the_exposition() -> None:
    agent = measured()
    found = {
        (family.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(agent)
        for sample in family.samples
    }
    exposed = {
        key: value
        for key, value in agent.exporter.samples().items()
        if not key[0].startswith("pombo_host_")
    }
    assert found == exposed
    assert len(exposed) > 40


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2**40), min_size=3, max_size=3))
def test_tables_of_a_host_agree_with_its_exposition(counters: list[int]) -> None:
    agent = Agent()
    for read in (0.0, float(counters[0])):
        agent.exporter.wait(INTERVAL)
        agent.send(disks=disks(sda=read, sdb=counters[1]), networks=networks(read, counters[2]))
    fields = detail(agent)
    for disk in fields.disks:
        value = agent.exporter.value("host_disk_read_bytes_per_second", device=disk.device)
        assert disk.read_bytes_per_second == value
    for network in fields.networks:
        name = "host_network_receive_lost_packets_per_second"
        value = agent.exporter.value(name, device=network.device)
        assert network.receive_lost_packets_per_second == value


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=2))
def test_containers_have_rates_and_the_sum_of_their_disks(counters: list[int]) -> None:
    agent = Agent()
    steps = ((0.0, 0.0, 0.0), (*map(float, counters), 30.0))
    for read, usage, throttled in steps:
        agent.exporter.wait(INTERVAL)
        agent.send(
            containers=Containers(
                ("/a", "/b"),
                ("a", "b"),
                ("docker", "systemd"),
                cpu_usage=(usage, None),
                cfs_periods=(2 * throttled, None),
                cfs_throttled_periods=(throttled, None),
                memory_limit=(0.0, 4096.0),
            ),
            container_disks=ContainerDisks(
                ("/a", "/a"),
                ("/dev/sda", "/dev/sdb"),
                ("a", "a"),
                ("docker", "docker"),
                read_bytes=(read, 2 * read),
                written_bytes=(None, 5.0),
            ),
        )
    one, other = detail(agent).containers
    assert (one.id, one.name, one.runtime) == ("/a", "a", "docker")
    assert one.cpu_usage_cores == pytest.approx(counters[1] / INTERVAL)
    assert one.read_bytes_per_second == pytest.approx(3 * counters[0] / INTERVAL)
    assert one.write_bytes_per_second == 0
    assert one.throttled_ratio == 0.5
    assert (one.memory_limit_bytes, other.memory_limit_bytes) == (None, 4096)
    assert (other.cpu_usage_cores, other.throttled_ratio, other.read_bytes_per_second) == (
        None,
        None,
        None,
    )
    assert (
        agent.exporter.value(
            "container_fs_reads_bytes_total",
            id="/a",
            device="/dev/sdb",
            name="a",
            runtime="docker",
        )
        == 2 * counters[0]
    )


def test_wide_hosts_are_heavier_than_narrow_ones() -> None:
    exporter = Exporter()
    Agent(exporter, "narrow").send(disks=disks(sda=1), memory=Memory(total=1.0))
    cores = tuple(map(str, range(100)))
    Agent(exporter, "wide").send(cpu=Cpu(cores, idle=(1.0,) * 100))
    narrow, wide = (describe.weight(exporter.host(name)) for name in ("narrow", "wide"))
    assert wide - narrow == 99


def with_meminfo(**fields: float) -> Agent:
    agent = Agent()
    agent.send(meminfo={f"{name}_bytes": value for name, value in fields.items()})
    return agent


def test_memory_and_swap_are_those_of_meminfo() -> None:
    agent = with_meminfo(
        MemTotal=200.0, MemAvailable=50.0, MemFree=20.0, SwapTotal=10.0, SwapFree=4.0
    )
    found = detail(agent)
    assert (found.memory_total_bytes, found.memory_available_bytes) == (200, 50)
    assert found.memory_used_ratio == 0.75
    assert (found.swap_total_bytes, found.swap_used_bytes) == (10, 6)
    names = "memory_total", "memory_used", "memory_free", "memory_available", "swap_used"
    exposed = [agent.exporter.value(f"host_{name}_bytes") for name in names]
    assert exposed == [200, 150, 20, 50, 6]


def test_kernel_without_available_memory_has_neither_that_nor_used_memory() -> None:
    agent = with_meminfo(MemTotal=200.0, MemFree=20.0)
    found = detail(agent)
    assert found.memory_total_bytes == 200
    assert (found.memory_available_bytes, found.memory_used_ratio) == (None, None)
    names = {name for name, _ in agent.exporter.samples() if name.startswith("host_")}
    assert names == {"host_memory_total_bytes", "host_memory_free_bytes"}


def test_used_memory_is_not_negative() -> None:
    agent = with_meminfo(MemTotal=50.0, MemAvailable=60.0, SwapTotal=0.0, SwapFree=1.0)
    assert agent.exporter.value("host_memory_used_bytes") == 0
    assert agent.exporter.value("host_swap_used_bytes") == 0
    assert (detail(agent).memory_used_ratio, detail(agent).swap_used_bytes) == (0, 0)


def test_memory_of_hosts_with_and_without_meminfo_is_summarised_together() -> None:
    exporter = Exporter()
    Agent(exporter, "linux").send(meminfo={"MemTotal_bytes": 8.0, "MemAvailable_bytes": 2.0})
    Agent(exporter, "other").send(memory=Memory(total=4.0, available=3.0))
    Agent(exporter, "none").send()
    found = describe.summaries([*exporter.roster.listed()], exporter.now)
    assert [each.memory_total_bytes for each in found] == [8, 4, None]
    assert [each.memory_used_ratio for each in found] == [0.75, 0.25, None]


def test_gauges_are_open_families_of_that_type_without_labels() -> None:
    agent = Agent()
    agent.send_parts(
        {"gauges": {"own": 1.0}},
        {"families": {"jobs": OpenFamily("gauge", labels={"queue": ("a",)}, values=(2.0,))}},
        {"families": {"done_total": OpenFamily("counter", values=(3.0,))}},
        {"families": {"well_*": OpenFamily("gauge", columns={"depth": (4.0,), "age": (None,)})}},
        {"meminfo": {"MemTotal_bytes": 5.0}},
    )
    agent.exporter.take(Report("pi", gauges={"of_a_script": 6.0}))
    assert detail(agent).gauges == {"own": 1, "well_depth": 4, "of_a_script": 6}


def send_extras(agent: Agent, *extras: bytes) -> None:
    """Send a report of as many datagrams, each with a fourth line."""
    for part, extra in enumerate(extras):
        header = {
            "host": agent.host,
            "session": SESSION,
            "seq": agent.seq + part,
            "interval": INTERVAL,
            "part": part,
            "parts": len(extras),
            "plan": 1,
        }
        datagram = packed(b"{}", b"[]", extra, header=json.dumps(header).encode())
        agent.exporter.take_datagram(datagram)
    agent.seq += len(extras)


def table_of(*rows: tuple[str, float | None, float | None]) -> dict[str, Any]:
    """Return a table of processes, with the CPU and the memory of each."""
    names, cpu, memory = zip(*rows, strict=True)
    pids = [str(number) for number in range(len(rows))]
    return {"pid": pids, "name": names, "cpu": cpu, "memory": memory}


def test_processes_are_those_of_the_report_with_the_most_first() -> None:
    agent = Agent()
    table = {
        **table_of(("a", 0.25, 5), ("b", 1.5, 1), ("c", None, 7)),
        "user": ["u", "v", "w"],
        "start_time": [9, 8, 7],
    }
    send_extras(agent, b"", json.dumps({"processes": table, "y": 1}).encode())
    found = detail(agent)
    a = schema.Process(0, "a", "u", "", 9, 0.25, 5)
    b = schema.Process(1, "b", "v", "", 8, 1.5, 1)
    c = schema.Process(2, "c", "w", "", 7, None, 7)
    assert found.processes_by_cpu == [b, a]
    assert found.processes_by_memory == [c, a]
    assert found.extra == {"y": 1}
    assert found.busiest_process == schema.BusiestProcess("b", 1.5)
    agent.exporter.wait(600)
    assert detail(agent).state is State.DOWN
    for name in ("processes_by_cpu", "processes_by_memory", "extra", "busiest_process"):
        assert getattr(detail(agent), name) == getattr(found, name)


def test_as_many_processes_are_shown_as_are_sure_to_use_the_most() -> None:
    """The row of the second process by CPU does not mean that it is the second by memory."""
    agent = Agent()
    table = table_of(("a", 0.5, 900), ("b", 0.4, 5), ("c", 0.1, 800))
    send_extras(agent, json.dumps({"processes": table}).encode())
    found = detail(agent)
    assert [process.name for process in found.processes_by_cpu] == ["a", "b"]
    assert [process.name for process in found.processes_by_memory] == ["a", "c"]


def test_processes_are_those_of_the_newest_datagram() -> None:
    """They are in another datagram of the report than before, whose place another one lost."""
    agent = Agent()
    extras = [json.dumps({"processes": table_of((name, 0.5, 1))}).encode() for name in "ab"]
    send_extras(agent, *extras)
    assert [process.name for process in detail(agent).processes_by_cpu] == ["b"]
    send_extras(agent, *extras[::-1])
    assert [process.name for process in detail(agent).processes_by_cpu] == ["a"]
    assert summary(agent).busiest_process == schema.BusiestProcess("a", 0.5)


@pytest.mark.parametrize(
    "extra",
    [
        {"processes": None},
        {"processes": {"pid": ["1"], "name": ["a"]}},
        {"processes": table_of(("a", 0, 1), ("b", None, 2))},
        {"x": {"cpu": [1], "name": ["a"]}},
    ],
)
def test_no_process_is_the_busiest_where_none_uses_a_core(extra: dict[str, Any]) -> None:
    agent = Agent()
    send_extras(agent, json.dumps(extra).encode())
    assert summary(agent).busiest_process is None
    detail(agent)


def test_processes_of_a_datagram_without_parts_are_not_stored() -> None:
    agent = Agent()
    agent.send_parts({})
    loose = plain(processes=table_of(("a", 0.5, 1)))
    agent.exporter.take_datagram(loose)
    assert detail(agent).processes_by_cpu == []


def test_processes_make_no_sample() -> None:
    agent = Agent()
    send_extras(agent, json.dumps({"processes": table_of(("a", 0.5, 1))}).encode())
    assert families(agent) == []


def test_extra_of_all_datagrams_is_one_object() -> None:
    agent = Agent()
    agent.send_parts({})
    assert detail(agent).extra is None
    extras = (b'{"moons":[{"name":"a\\n","cpu":1e308}],"x":1}', b'{ "y":null,\r"z":"\\u2028"}')
    send_extras(agent, *extras)
    assert detail(agent).extra == {
        "moons": [{"name": "a\n", "cpu": 1e308}],
        "x": 1,
        "y": None,
        "z": "\u2028",
    }
    fields = dict(filter(None, describe.detail(agent.exporter.host(), 60.0, StepClock())))
    assert b"\r" not in fields["extra"]  # it would end a line of the feed


# --- CPU modes, memory, sensors, pressure, services ---


def test_detail_has_the_modes_of_all_cores_and_the_cores_in_numeric_order() -> None:
    agent = Agent()
    for moment in (0.0, 1.0):
        names = ("cpu10", "cpu9", "2")
        agent.send(
            cpu=Cpu(
                names,
                user=(moment, 2 * moment, 0.0),
                system=(moment, 0.0, 0.0),
                idle=(2 * moment, 2 * moment, 4 * moment),
                iowait=(0.5 - moment / 2,) * 3,  # the kernel may count backwards here
                steal=(0.0, 0.0, 0.0),
            )
        )
        agent.exporter.wait(INTERVAL)
    found = detail(agent)
    assert [core.cpu for core in found.cores] == ["2", "cpu9", "cpu10"]
    modes = found.cpu_modes
    assert modes is not None
    assert (modes.user_ratio, modes.iowait_ratio, modes.steal_ratio) == (0.25, 0, 0)
    assert modes.system_ratio == pytest.approx(1 / 12)
    assert modes.idle_ratio == pytest.approx(8 / 12)
    assert [modes.nice_ratio, modes.irq_ratio, modes.softirq_ratio] == [None] * 3


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            {"memory": Memory(total=100.0, free=10.0, buffers=5.0, cached=25.0, shared=3.0)},
            schema.MemoryParts(60, 5, 25, 10, 3),
        ),
        (
            {
                "meminfo": {
                    "MemTotal_bytes": 100.0,
                    "MemFree_bytes": 10.0,
                    "Buffers_bytes": 5.0,
                    "Cached_bytes": 20.0,
                    "SReclaimable_bytes": 5.0,
                    "Shmem_bytes": 3.0,
                }
            },
            schema.MemoryParts(60, 5, 25, 10, 3),
        ),
        ({"memory": Memory(total=10.0, free=20.0)}, schema.MemoryParts(0, 0, 0, 20, 0)),
        ({"memory": Memory(total=10.0)}, None),
        ({}, None),
    ],
)
def test_detail_has_the_parts_of_the_memory(
    section: dict[str, Any], expected: schema.MemoryParts | None
) -> None:
    agent = Agent()
    agent.send(**section)
    assert detail(agent).memory_parts == expected


def test_detail_has_what_sensors_measure_under_the_names_of_their_makers() -> None:
    agent = Agent()
    agent.send(
        temperatures=Temperatures(
            ("isa_0", "isa_1"), ("temp1", "temp1"), celsius=(48.5, -3.0), crit=(100.0, None)
        ),
        fans=Fans(("isa_0",), ("fan1",), rpm=(1200.0,)),
        sensor_chips=SensorChips(("isa_0",), ("coretemp",)),
        sensor_labels=SensorLabels(
            ("isa_0", "isa_0"), ("temp1", "fan1"), ("Package id 0", "CPU fan")
        ),
        thermal_zones=ThermalZones(("0",), ("x86_pkg_temp",), celsius=(51.0,)),
    )
    found = detail(agent)
    assert found.temperatures == [
        schema.Temperature("isa_0", "coretemp", "temp1", "Package id 0", 48.5, None, 100.0),
        schema.Temperature("isa_1", "", "temp1", "", -3.0, None, None),
        schema.Temperature("x86_pkg_temp", "", "0", "", 51.0, None, None),
    ]
    assert found.fans == [schema.Fan("isa_0", "coretemp", "fan1", "CPU fan", 1200.0)]


def test_detail_has_the_pressure_between_two_reports() -> None:
    agent = Agent()
    agent.send(pressure=Pressure(cpu_waiting=1.0, io_waiting=1.0, memory_stalled=9.0))
    assert detail(agent).pressure == schema.Pressure(*[None] * 5)
    agent.exporter.wait(INTERVAL)
    agent.send(pressure=Pressure(cpu_waiting=2.0, io_waiting=61.0, memory_stalled=8.0))
    assert detail(agent).pressure == schema.Pressure(1 / INTERVAL, 1.0, None, None, None)


def test_detail_has_the_units_of_systemd_by_state_and_those_that_failed() -> None:
    agent = Agent()
    agent.send(
        families={
            "node_systemd_units": OpenFamily(
                "gauge", labels={"state": ("active", "failed")}, values=(70.0, 2.0)
            ),
            "node_systemd_unit_state": OpenFamily(
                "gauge",
                labels={
                    "name": ("b10.service", "b9.service", "fine.service"),
                    "state": ("failed", "failed", "failed"),
                },
                values=(1.0, 1.0, 0.0),
            ),
        }
    )
    assert detail(agent).services == schema.Services(
        [schema.UnitCount("active", 70), schema.UnitCount("failed", 2)],
        ["b9.service", "b10.service"],
    )


def test_host_that_reports_none_of_these_has_none() -> None:
    agent = Agent()
    agent.send(gauges={"x": 1.0})
    found = detail(agent)
    parts = (found.cpu_modes, found.memory_parts, found.pressure, found.services)
    assert parts == (None, None, None, None)
    assert (found.temperatures, found.fans) == ([], [])
