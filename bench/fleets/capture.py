"""Captures reports of the real agent on this machine, without the names of the machine.

``python -m bench.fleets.capture > bench/fleets/NAME.jsonl`` writes one datagram per line, as
``pombo-agent --once --format=json`` does, of several reports at the default interval. Only texts
that are known to name no machine, person or place are kept. Each other text is replaced by one of
the same length, so that the datagrams keep their sizes.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from time import sleep
from typing import Any

import msgspec
from pombo_wire import SECTIONS
from pombo_wire.splitting import Form

from bench.cases.report_size import reporter

REPORTS = 4
INTERVAL = 5.0  # seconds

#: Columns that are the same on all machines of one kind.
_PUBLIC = {
    *(("info", name) for name in ("agent", "system", "machine")),
    *(("build", name) for name in ("version", "revision", "pythonversion", "os", "arch")),
    *(("uname", name) for name in ("sysname", "machine")),
    *(("os", name) for name in ("id", "id_like", "name", "pretty_name")),
    *(("os", name) for name in ("version", "version_codename", "version_id")),
    *(("network_info", name) for name in ("duplex", "operstate")),
    *(("disk_info", name) for name in ("major", "minor")),
    *(("clock_sources", name) for name in ("device", "clocksource")),
    *(("udp_queues", name) for name in ("queue", "ip")),
    ("cpu", "cpu"),
    ("softnet", "cpu"),
    ("collectors", "collector"),
    ("filesystems", "fstype"),
}

#: Texts that name nothing in whatever column they are.
_COMMON = {"UTC", "(none)"}

#: Names that the kernel gives to devices, and filesystems without a device.
_DEVICE = re.compile(
    r"lo|(eth|ens|eno|enp\d+s|ifb|bond|docker|dummy|wlan)\d+|"
    r"(/dev/)?([hsv]d[a-z]+\d*|nvme\d+n\d+(p\d+)?|(dm-|md|sr|loop|zram)\d+)|"
    r"tmpfs|overlay|udev|devtmpfs"
)
_SENSOR = re.compile(r"(temp|fan|thermal_zone|cooling_device)?\d+")

#: Folders of every Linux system. Each other folder of a mount point gets another name.
_FOLDERS = {
    *("boot", "data", "efi", "home", "lib", "lock", "log", "media", "mnt"),
    *("opt", "run", "shm", "srv", "tmp", "usr", "user", "var"),
}

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NO_MAC = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}


class Anonymizer:
    """Replaces the texts of one machine's reports, the same text always by the same one.

    The name of the host is the one that the agent was given.
    """

    def __init__(self) -> None:
        self._macs: dict[str, str] = {}
        self._others: dict[str, str] = {}

    def datagram(self, datagram: bytes) -> bytes:
        """Return the datagram with other texts and the same numbers."""
        report = msgspec.json.decode(datagram)
        report.pop("labels", None)  # of an agent with flags
        for section, kind in SECTIONS.items():
            for field in kind.__struct_fields__[: kind.label_columns]:
                found = report.get(section, {}).get(field, "")
                if isinstance(found, list):
                    report[section][field] = [self._text(section, field, text) for text in found]
                elif found:
                    report[section][field] = self._text(section, field, found)
        return msgspec.json.encode(report)

    def _text(self, section: str, field: str, text: str) -> str:
        if (section, field) in _PUBLIC or text in _COMMON or not text:
            return text
        if field == "mountpoint":
            folders = text.split("/")
            return "/".join(
                folder if not folder or folder in _FOLDERS else self._other(folder)
                for folder in folders
            )
        if field in {"address", "broadcast"} and _MAC.fullmatch(text):
            if text in _NO_MAC:
                return text
            return self._macs.setdefault(text, f"02:00:00:00:00:{len(self._macs) + 1:02x}")
        known = _DEVICE if field == "device" else _SENSOR
        return text if known.fullmatch(text) else self._other(text)

    def _other(self, text: str) -> str:
        """Return a text of the same length, as far as there is room for its number."""
        number = str(len(self._others) + 1)
        return self._others.setdefault(text, number.rjust(len(text), "x"))


def anonymous(datagrams: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the datagrams of one machine without its names."""
    return map(Anonymizer().datagram, datagrams)


def _captured() -> Iterator[bytes]:
    agent = reporter(Form.JSON)
    for number in range(REPORTS):
        if number:
            sleep(INTERVAL)
        yield from agent.next_report()


def main() -> None:
    """Write the reports of this machine."""
    write: Any = sys.stdout.buffer.write
    for datagram in anonymous(_captured()):
        write(datagram + b"\n")


if __name__ == "__main__":
    main()
