"""Reasons why a host needs attention: which values they are of, and in which words."""

from typing import Any

import msgspec
import pytest
from pombo_exporter.hosts.host import DUPLICATE_SECONDS, State
from pombo_exporter.hosts.severity import (
    CRITICAL,
    DEFAULTS,
    MOST_REASONS,
    OK,
    WARNING,
    Reason,
    Severity,
    Thresholds,
)
from pombo_exporter.views import describe, schema
from pombo_wire import (
    Collectors,
    Filesystems,
    Memory,
    OpenFamily,
    Report,
    Swap,
    Temperatures,
)
from support.builders import ADDRESS, INTERVAL, OTHER_ADDRESS, Agent, Exporter, restarted


def summary(agent: Agent, **thresholds: Thresholds) -> schema.HostSummary:
    host = agent.exporter.host(agent.host)
    [found] = describe.summaries([host], agent.exporter.now, {**DEFAULTS, **thresholds})
    return found


def reasons(**sections: Any) -> list[Reason]:
    """Return the reasons of a host that reports these sections."""
    agent = Agent()
    agent.send(**sections)
    return summary(agent).reasons


def found(all_of: list[Reason]) -> list[tuple[str, Severity, str]]:
    return [(reason.id, reason.severity, reason.subject) for reason in all_of]


def hold(agent: Agent) -> None:
    """Do what the sampler does every fifteen seconds."""
    exporter, host = agent.exporter, agent.exporter.host(agent.host)
    [held] = describe.held([host], exporter.now)
    exporter.roster.hold(agent.host, held)


def disks(**used: float) -> Filesystems:
    """Return filesystems by the share that is used: ``disks(data=0.985)``."""
    names = tuple(used)
    available = tuple(1000 * (1 - share) for share in used.values())
    return Filesystems(
        tuple(f"/{name}" for name in names),
        tuple(f"/dev/{name}" for name in names),
        ("ext4",) * len(names),
        size=(1000.0,) * len(names),
        free=available,
        available=available,
    )


# --- measured values ---


def test_healthy_host_is_ok_without_a_reason() -> None:
    agent = Agent()
    agent.send(memory=Memory(total=100.0, available=50.0), filesystems=disks(root=0.5))
    assert (summary(agent).severity, summary(agent).reasons) == (OK, [])


def test_reason_has_an_identifier_a_value_a_unit_a_threshold_and_words() -> None:
    [reason] = reasons(filesystems=disks(data=0.985, root=0.5))
    assert msgspec.to_builtins(reason) == {
        "id": "disk",
        "severity": "critical",
        "subject": "/data",
        "value": pytest.approx(0.985),
        "threshold": 0.97,
        "unit": "ratio",
        "text": "disk /data 98.5 % used",
    }


def test_host_is_as_urgent_as_its_most_urgent_reason_which_is_the_first() -> None:
    agent = Agent()
    agent.send(filesystems=disks(a=0.91, b=0.99), memory=Memory(total=100.0, available=2.0))
    assert summary(agent).severity is CRITICAL
    assert found(summary(agent).reasons) == [
        ("disk", CRITICAL, "/b"),
        ("memory", CRITICAL, ""),
        ("disk", WARNING, "/a"),
    ]


def test_filesystem_that_cannot_be_written_to_is_never_too_full() -> None:
    filesystems = msgspec.structs.replace(disks(cd=1.0), readonly=(1.0,))
    assert reasons(filesystems=filesystems) == []


def test_filesystem_that_is_mounted_twice_is_one_reason() -> None:
    filesystems = msgspec.structs.replace(
        disks(data=0.95, copy=0.95, other=0.95), device=("/dev/sda", "/dev/sda", "/dev/sdb")
    )
    assert [reason.subject for reason in reasons(filesystems=filesystems)] == ["/data", "/other"]
    filesystems = msgspec.structs.replace(filesystems, device=("tmpfs",) * 3)
    assert len(reasons(filesystems=filesystems)) == 3


def test_many_full_filesystems_are_as_many_reasons_as_are_shown_the_fullest_first() -> None:
    shares = {f"m{number}": 0.9 + number / 1000 for number in range(60)}
    agent = Agent()
    agent.send_parts({"filesystems": disks(**shares)}, packed=True)
    subjects = [reason.subject for reason in summary(agent).reasons]
    assert subjects == [f"/m{number}" for number in range(59, 59 - MOST_REASONS, -1)]


def test_inodes_may_be_used_up_before_the_space_is() -> None:
    filesystems = msgspec.structs.replace(
        disks(mail=0.2, btrfs=0.2), files=(1000.0, 0.0), files_free=(20.0, 0.0)
    )
    [reason] = reasons(filesystems=filesystems)
    assert (reason.id, reason.text) == ("inodes", "inodes of /mail 98 % used")


@pytest.mark.parametrize(
    ("available", "expected"), [(11.0, OK), (10.0, WARNING), (3.0, CRITICAL), (0.0, CRITICAL)]
)
def test_memory_counts_by_what_is_available(available: float, expected: Severity) -> None:
    for section in (
        {"memory": Memory(total=100.0, available=available)},
        {"meminfo": {"MemTotal_bytes": 100.0, "MemAvailable_bytes": available}},
    ):
        agent = Agent()
        agent.send(**section)
        assert summary(agent).severity is expected


def test_full_swap_space_counts_only_while_memory_is_short() -> None:
    full = Swap(total=10.0, used=10.0)
    assert reasons(memory=Memory(total=100.0, available=30.0), swap=full) == []
    pressed = reasons(memory=Memory(total=100.0, available=15.0), swap=full)
    assert found(pressed) == [("swap", CRITICAL, "")]
    none = Swap(total=0.0, used=0.0)
    assert reasons(memory=Memory(total=100.0, available=15.0), swap=none) == []


def test_temperature_counts_against_what_its_sensor_calls_critical() -> None:
    temperatures = Temperatures(
        ("cpu", "cpu", "nvme", "odd"),
        ("temp1", "temp2", "temp1", "temp1"),
        celsius=(96.0, 50.0, 85.0, 90.0),
        crit=(100.0, 100.0, 84.85, 0.0),
    )
    assert found(reasons(temperatures=temperatures)) == [
        ("temperature", CRITICAL, "nvme temp1"),
        ("temperature", WARNING, "cpu temp1"),
    ]


def test_filesystem_whose_sizes_cannot_be_read_has_a_device_error() -> None:
    filesystems = Filesystems(
        ("/", "/mnt/nfs"), ("a", "b"), ("ext4", "nfs"), device_error=(0.0, 1.0)
    )
    [reason] = reasons(filesystems=filesystems)
    assert (reason.severity, reason.text) == (WARNING, "1 filesystem with device errors: /mnt/nfs")


def test_collector_that_fails_is_named_and_one_without_anything_to_report_is_not() -> None:
    collectors = Collectors(
        ("cpu", "hwmon", "nfs", "statvfs"),
        seconds=(0.1, 0.2, 0.0, None),
        success=(1.0, 0.0, 0.0, 0.0),
    )
    [reason] = reasons(collectors=collectors)
    assert (reason.severity, reason.value) == (WARNING, 2)
    assert reason.text == "2 collectors failing: hwmon, statvfs"


def units(**states: str) -> dict[str, OpenFamily]:
    """Return the families of systemd's collector, of services by their state."""
    possible = ("active", "failed", "inactive")
    counts = tuple(float([*states.values()].count(each)) for each in possible)
    rows = [(f"{name}.service", each) for name in states for each in possible]
    names, each_state = zip(*rows, strict=True)
    return {
        "node_systemd_units": OpenFamily("gauge", labels={"state": possible}, values=counts),
        "node_systemd_unit_state": OpenFamily(
            "gauge",
            labels={"name": names, "state": each_state, "type": ("simple",) * len(rows)},
            values=tuple(
                float(states[name.removesuffix(".service")] == state) for name, state in rows
            ),
        ),
    }


def test_failed_services_are_counted_and_some_are_named() -> None:
    assert reasons(families=units(a="active", b="inactive")) == []
    [reason] = reasons(families=units(a="failed", b="active"))
    assert (reason.severity, reason.text) == (WARNING, "1 service failed: a.service")
    [reason] = reasons(families=units(**dict.fromkeys("abcde", "failed")))
    text = "5 services failed: a.service, b.service, c.service and 2 more"
    assert (reason.value, reason.text) == (5, text)


@pytest.mark.parametrize(
    "family",
    [
        OpenFamily("gauge", values=(1.0,)),
        OpenFamily("gauge", labels={"failed": ("state",)}, values=(1.0,)),
        OpenFamily("counter", labels={"state": ("failed",)}, values=(None,)),
        OpenFamily("gauge", help='"failed"', labels={"state": ("x",)}, values=(1.0,)),
    ],
)
def test_family_of_the_name_of_systemds_with_other_labels_is_no_reason(family: OpenFamily) -> None:
    assert reasons(families={"node_systemd_units": family}) == []


def test_failed_services_without_names_say_where_to_look() -> None:
    family = OpenFamily("gauge", labels={"state": ("failed",)}, values=(2.0,))
    [reason] = reasons(families={"node_systemd_units": family})
    assert reason.text == "2 services failed: see systemctl --failed"


# --- what the exporter knows of the host itself ---


@pytest.mark.parametrize(("offset", "text"), [(97.0, "ahead"), (-97.0, "behind")])
def test_clock_that_is_off_says_in_which_direction(offset: float, text: str) -> None:
    agent = Agent()
    report = msgspec.structs.replace(agent.report(), time=agent.exporter.wall + offset)
    agent.exporter.take(report)
    [reason] = summary(agent).reasons
    assert reason.severity is WARNING
    assert reason.value == pytest.approx(97)
    assert reason.text == f"clock 1 min 37 s {text}"


def test_loss_is_that_of_the_last_ten_minutes() -> None:
    agent = Agent()
    agent.run(100)
    agent.seq += 4  # of some thirty
    agent.run(100)
    [reason] = summary(agent).reasons
    assert (reason.id, reason.severity) == ("loss", WARNING)
    assert reason.value == summary(agent).datagram_loss_ratio
    agent.run(800)
    assert summary(agent).reasons == []
    assert (summary(agent).datagram_loss_ratio, summary(agent).datagrams_lost) == (0, 4)


def test_two_lost_datagrams_are_no_reason_however_few_there_are() -> None:
    agent = Agent()
    agent.send()
    agent.seq += 2
    agent.run(60)
    assert summary(agent).datagrams_lost == 2
    assert summary(agent).datagram_loss_ratio > 0.1
    assert summary(agent).reasons == []


def test_silent_host_is_late_and_then_down() -> None:
    agent = Agent()
    agent.send()
    agent.exporter.wait(2 * INTERVAL)
    assert found(summary(agent).reasons) == [("late", WARNING, "")]
    agent.exporter.wait(INTERVAL)
    [reason] = summary(agent).reasons
    assert (reason.id, reason.severity, reason.threshold) == ("down", CRITICAL, 3 * INTERVAL)
    assert reason.text == "no report for more than 15 s"


def test_reasons_of_a_host_that_is_down_are_those_of_its_last_report_too() -> None:
    agent = Agent()
    agent.send(filesystems=disks(data=0.985))
    agent.exporter.wait(600)
    assert summary(agent).state is State.DOWN
    assert found(summary(agent).reasons) == [("down", CRITICAL, ""), ("disk", CRITICAL, "/data")]


def duplicated(address: Any, other: Any) -> Agent:
    """Return an agent under whose name another one reports."""
    agent = Agent(address=address)
    agent.send()
    clone = Agent(agent.exporter, session=agent.session - 1, address=other)
    assert agent.exporter.refuses(clone.report(), other) == "conflict"
    return agent


def test_two_agents_under_one_name_are_shown_with_both_addresses_for_ten_minutes() -> None:
    agent = duplicated(ADDRESS, OTHER_ADDRESS)
    assert summary(agent).reasons == []  # the holder may be gone
    agent.send()
    assert summary(agent).duplicate_addresses == [ADDRESS[0], OTHER_ADDRESS[0]]
    [reason] = summary(agent).reasons
    assert (reason.id, reason.severity) == ("duplicate_name", WARNING)
    both = f"{ADDRESS[0]} and {OTHER_ADDRESS[0]}"
    assert reason.text == f"two agents: {both}"
    agent.run(DUPLICATE_SECONDS - INTERVAL)
    assert summary(agent).severity is WARNING
    agent.run(2 * INTERVAL)
    assert (summary(agent).severity, summary(agent).duplicate_addresses) == (OK, [])


@pytest.mark.parametrize(
    ("address", "other", "expected"),
    [
        (("192.0.2.7", 40), ("192.0.2.7", 41), ["192.0.2.7:40", "192.0.2.7:41"]),
        (("2001::7", 40, 0, 0), ("2001::7", 41, 0, 0), ["[2001::7]:40", "[2001::7]:41"]),
    ],
)
def test_two_agents_behind_one_address_are_shown_with_their_ports(
    address: Any, other: Any, expected: list[str]
) -> None:
    agent = duplicated(address, other)
    agent.send()
    assert summary(agent).duplicate_addresses == expected


# --- thresholds that are set, and margins ---


def test_threshold_that_is_set_counts_instead() -> None:
    agent = Agent()
    agent.send(filesystems=disks(data=0.6))
    assert summary(agent, disk=Thresholds(0.5, 0.8)).severity is WARNING
    assert summary(agent, disk=Thresholds(0.5, 0.55)).severity is CRITICAL
    assert summary(agent, disk=Thresholds()).severity is OK


def test_value_close_to_its_threshold_does_not_change_the_severity_with_each_report() -> None:
    agent = Agent()
    severities = []
    for share in (0.91, 0.899, 0.901, 0.89, 0.885, 0.881, 0.899):
        agent.exporter.wait(INTERVAL)
        agent.send(filesystems=disks(data=share))
        severities.append(summary(agent).severity)
        hold(agent)
    assert severities == [*[WARNING] * 5, OK, OK]


def test_critical_value_falls_to_a_warning_before_it_is_ok() -> None:
    agent = Agent()
    severities = []
    for available in (2.0, 4.0, 9.0, 13.0, 15.0):
        agent.exporter.wait(INTERVAL)
        agent.send(memory=Memory(total=100.0, available=available))
        severities.append(summary(agent).severity)
        hold(agent)
    assert severities == [CRITICAL, CRITICAL, WARNING, WARNING, OK]


def test_margin_is_that_of_one_filesystem_and_ends_with_the_session() -> None:
    agent = Agent()
    agent.send(filesystems=disks(data=0.91, other=0.89))
    hold(agent)
    agent.exporter.wait(INTERVAL)
    agent.send(filesystems=disks(data=0.89, other=0.89))
    assert [reason.subject for reason in summary(agent).reasons] == ["/data"]
    agent.send(bye=True)
    again = restarted(agent)
    again.send(filesystems=disks(data=0.89, other=0.89))
    assert summary(again).severity is OK


def test_reasons_of_a_host_do_not_depend_on_other_hosts() -> None:
    exporter = Exporter()
    sections: list[dict[str, Any]] = [
        {},
        {"filesystems": disks(a=0.98)},
        {"memory": Memory(total=100.0, available=1.0), "swap": Swap(total=1.0, used=1.0)},
        {"families": units(a="failed")},
        {"temperatures": Temperatures(("c",), ("t",), celsius=(99.0,), crit=(98.0,))},
        {"filesystems": disks(a=0.5, b=0.95)},
    ]
    for number, each in enumerate(sections):
        Agent(exporter, host=f"host-{number}").send(**each)
    exporter.take(Report("bare"))
    hosts = [*exporter.roster.hosts.values()]
    together = describe.summaries(hosts, exporter.now)
    assert together == [describe.summaries([host], exporter.now)[0] for host in hosts]
    severities = [each.severity for each in together]
    assert severities == [OK, CRITICAL, CRITICAL, WARNING, CRITICAL, WARNING, OK]
