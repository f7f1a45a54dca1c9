"""A captured report has no text that names its machine, and is otherwise as the agent sent it."""

import re
from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec
import pytest
from pombo_wire import SECTIONS
from pombo_wire.splitting import Form

from bench.cases.report_size import reporter
from bench.fleets.capture import anonymous
from bench.fleets.reports import CAPTURE

LINES = CAPTURE.read_bytes().splitlines()

#: Every text that may be in a captured file: what is the same on all machines of one kind.
PUBLIC = re.compile(
    r"|x*\d+"  # what a text was replaced with; numbers of cores and devices
    r"|web-17\.example\.net|(pombo-agent )?\d+\.\d+\.\d+|[Ll]inux|x86_64|UTC|\(none\)"
    r"|debian|Debian GNU/Linux( \d+ \(\w+\))?|\d+ \(bookworm\)|bookworm"
    r"|tsc|kvm-clock|[tr]x|v[46]"
    r"|02(:00){4}:0\d|00(:00){5}|ff(:ff){5}|unknown|up|down"
    r"|lo|eth0|ifb[01]|(/dev/)?vda|zram0|ext4|tmpfs|/(mnt(/x*\d)*)?"
)


def texts(datagram: dict[str, Any]) -> set[str]:
    """Return all texts of a report but the names of its collectors."""
    found = {datagram["host"]}
    for section, kind in SECTIONS.items():
        for name in kind.__struct_fields__[: kind.label_columns]:
            value = datagram.get(section, {}).get(name, "")
            found.update([value] if isinstance(value, str) else value)
    return found - set(datagram.get("collectors", {}).get("collector", ()))


@pytest.mark.parametrize("line", LINES)
def test_captured_file_has_only_texts_that_name_nothing(line: bytes) -> None:
    assert {
        text for text in texts(msgspec.json.decode(line)) if not PUBLIC.fullmatch(text)
    } == set()


def test_captured_file_would_be_written_from_itself() -> None:
    assert list(anonymous(LINES)) == LINES


def test_names_of_this_machine_are_not_captured() -> None:
    datagrams = reporter(Form.JSON).next_report()
    before, after, captured = map(all_texts, (datagrams, anonymous(datagrams), LINES))
    replaced = before - after
    assert replaced  # the release of its kernel, at least
    assert replaced & captured == set()
    assert not [text for text in replaced if len(text) > 3 and any(text in each for each in after)]


def all_texts(datagrams: Iterable[bytes]) -> set[str]:
    return set(chain.from_iterable(texts(msgspec.json.decode(each)) for each in datagrams))


PRIVATE: dict[str, Any] = {
    "host": "web-17.example.net",
    "labels": {"owner": "erika"},
    "uname": {"sysname": "Linux", "nodename": "erikas-laptop", "domainname": "corp.example.com"},
    "time_zone": {"time_zone": "Europe/Berlin", "offset": 3600},
    "dmi": {"product_name": "Laptop 9", "board_asset_tag": "C02XK1", "system_vendor": "Acme"},
    "disk_info": {
        "device": ["sda", "erika_crypt"],
        "major": ["8", "253"],
        "minor": ["0", "0"],
        "model": ["Acme SSD 9", ""],
        "path": ["pci-0000:00:17.0-ata-1", ""],
        "revision": ["R1.2", ""],
        "serial": ["S3Z9NB0K", ""],
        "wwn": ["0x5002538d", ""],
    },
    "network_info": {
        "device": ["eth0", "tun-erika", "lo"],
        "address": ["3c:ec:ef:12:34:56", "10.8.0.14", "00:00:00:00:00:00"],
        "broadcast": ["ff:ff:ff:ff:ff:ff", "203.0.113.9", ""],
        "duplex": ["full", "", ""],
        "ifalias": ["to erika", "", ""],
        "operstate": ["up", "up", "unknown"],
    },
    "filesystems": {
        "mountpoint": ["/", "/home/erika/Photos", "/run/user/1017"],
        "device": ["/dev/sda1", "nas.corp.example.com:/photos", "tmpfs"],
        "fstype": ["ext4", "nfs4", "tmpfs"],
        "size": [4096, 8192, 0],
    },
    "sensor_labels": {"chip": ["acme_hwmon"], "sensor": ["temp1"], "label": ["erika"]},
}


#: Those of its texts that are the same on many machines.
KEPT = {
    *("Linux", "web-17.example.net", "sda", "8", "253", "0", "eth0", "lo", "00:00:00:00:00:00"),
    *("ff:ff:ff:ff:ff:ff", "full", "up", "unknown", "/", "/dev/sda1", "tmpfs", "ext4", "nfs4"),
    *("temp1", ""),
}


def test_texts_that_could_name_a_machine_are_replaced_by_some_of_the_same_length() -> None:
    before = msgspec.json.encode(PRIVATE)
    [after] = anonymous([before])
    report = msgspec.json.decode(after)
    found = texts(report)
    assert found & texts(PRIVATE) == KEPT
    assert len(found) == len(texts(PRIVATE))  # others are no less different
    mounts = report["filesystems"]["mountpoint"]
    assert [re.sub(r"x*\d+", "*", mount) for mount in mounts] == ["/", "/home/*/*", "/run/user/*"]
    for private in (
        b"erika",
        b"example.com",
        b"Berlin",
        b"Acme",
        b"S3Z9",
        b"12:34",
        b"10.8.0",
        b"203.0",
    ):
        assert private in before
        assert private not in after
    assert report["filesystems"]["size"] == [4096, 8192, 0]
    labels = msgspec.json.encode(PRIVATE["labels"])
    assert len(after) == len(before) - len(labels) - len(b'"labels":,')
