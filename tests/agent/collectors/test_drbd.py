"""The collector ``drbd``."""

from pombo_agent.collecting.reading import File
from pombo_agent.collectors import drbd


def test_version_9_has_no_devices_here() -> None:
    text = b"version: 9.1.2 (api:2/proto:110-120)\nGIT-hash: 1234 build by a@b, 2021\n"
    assert drbd.parse_drbd(File(text)) == ([], {})


def test_device_that_is_not_configured_has_its_connection_alone() -> None:
    devices, pairs = drbd.parse_drbd(File(b"version: 8.4.3\n 07: cs:Unconfigured ns:x\n"))
    assert devices == [
        {"device": "drbd7", "connected": 0, "network_sent_bytes": None},
    ]
    assert pairs == {}


def test_state_of_one_node_is_enough() -> None:
    _, pairs = drbd.parse_drbd(File(b" 0: ro:Primary ds:UpToDate/Diskless\n"))
    assert pairs == {
        ("node_drbd_node_role_is_primary", "drbd0", "local"): 1,
        ("node_drbd_disk_state_is_up_to_date", "drbd0", "local"): 1,
        ("node_drbd_disk_state_is_up_to_date", "drbd0", "remote"): 0,
    }
