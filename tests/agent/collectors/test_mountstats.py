"""The collector ``mountstats``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import mountstats

DEVICE = "device a:/b mounted on /mnt with fstype nfs4 statvers=1.1\n"


def mounts(text: str, addresses: list[str]) -> list[mountstats.Mount]:
    return mountstats.parse_mountstats(File(text.encode()), addresses)


def test_addresses_are_those_of_the_mounts_in_the_same_order() -> None:
    text = f"device proc mounted on /proc with fstype proc\n{DEVICE}{DEVICE}"
    found = mounts(text, ["", "10.0.0.1"])
    assert [mount.address for mount in found] == ["10.0.0.1", ""]
    lines = b"1 2 0:1 / / rw - nfs a:/b rw,addr=10.0.0.2,addr=10.0.0.3\n2 1 0:2 / /proc rw - proc"
    assert mountstats.server_addresses(File(lines)) == ["10.0.0.3", ""]


def test_what_a_mount_lacks_is_zero() -> None:
    (mount,) = mounts(f"{DEVICE}\tage:\t7\n\txprt:\tudp 1 2 3 4 5 6 7\n", [])
    values = {key: value for key, value in mount.values.items() if value}
    assert (mount.protocol, values) == (
        "udp",
        {
            "age_seconds": 7,
            "transport_bind": 2,
            "transport_sends": 3,
            "transport_receives": 4,
            "transport_bad_transaction_ids": 5,
            "transport_backlog_queue": 7,
        },
    )


def test_line_with_too_few_values_has_none() -> None:
    file = File(f"{DEVICE}\txprt:\ttcp 1 2\n\tREAD: 1 2 3\n".encode())
    (mount,) = mountstats.parse_mountstats(file, [])
    assert (mount.protocol, mount.values["transport_bind"]) == ("tcp", None)
    assert {*mount.operations["READ"].values()} == {None}
    assert file.skips.count == 2


def test_duration_that_was_negative_is_a_rest() -> None:
    (mount,) = mounts(f"{DEVICE}\tREAD: 1 1 0 4 5 18446744073709482113 7000 8000\n", [])
    assert mount.operations["READ"] == {
        "requests": 1,
        "transmissions": 1,
        "major_timeouts": 0,
        "sent_bytes": 4,
        "received_bytes": 5,
        "queue_time_seconds": 18446744073709482113 % 2**53 / 1000,
        "response_time_seconds": 7,
        "request_time_seconds": 8,
        "errors": 0,
    }


def test_mount_of_another_type_is_not_read() -> None:
    assert mounts("device x mounted on /y with fstype ceph statvers=1.1\n\tage:\t7\n", []) == []
    assert mounts("device x mounted on /y with fstype nfs\n\tage:\t7\n", []) == []
