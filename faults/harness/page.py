"""What an exposition says of the fleet, read without the product's help."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faults.harness.fleet import FAMILIES, PLACES, Host, report_of, total

_PLACE = {place: number for number, place in enumerate(PLACES)}
_NO_PLACE = -1  # of devices that no host of the fleet has
_INSTANCE = re.compile(rb'instance="((?:[^"\\]|\\.)*)"')
_SAMPLE = re.compile(
    rb'^(%s)\{device="([^"]+)",instance="([^"]+)"\} (\d+)$'
    % b"|".join(name.encode() for name in FAMILIES),
    re.MULTILINE,
)
_OF_HOST = re.compile(rb'^(pombo_host_\w+)\{instance="([^"]+)"\} (\S+)$', re.MULTILINE)
_OWN = re.compile(
    rb"^(pombo_exporter_\w+)(?:\{(?:reason|kind|state)=\"(\w+)\"\})? (\S+)$", re.MULTILINE
)


@dataclass(frozen=True)
class Page:
    """What one exposition says.

    ``totals`` has the value of each place of a host, by its name. ``about`` has what the exporter
    counts of each host, ``own`` what it counts of itself: by name, and by a label's value.
    ``strangers`` are hosts that are not of the fleet.
    """

    totals: Mapping[str, Mapping[int, int]]
    about: Mapping[str, Mapping[str, float]]
    own: Mapping[tuple[str, str], float]
    strangers: frozenset[str]

    def __repr__(self) -> str:
        """Return what the exporter counts of itself, since all would be long."""
        return repr({name: value for name, value in self.own.items() if value})

    def of(self, host: Host, name: str) -> float | None:
        """Return what the exporter says about a host; None where it does not have it."""
        return self.about.get(host.name, {}).get(f"pombo_host_{name}")

    def is_live(self, host: Host) -> bool:
        """Return whether a host is live: neither late nor down."""
        return self.is_live_named(host.name)

    def is_live_named(self, name: str) -> bool:
        """Return whether a host of this name is live."""
        about = self.about.get(name, {})
        return about.get("pombo_host_up") == 1 and about.get("pombo_host_late") == 0

    def reported_at(self, name: str) -> float | None:
        """Return the Unix time of a host's last report, by the exporter's clock."""
        return self.about.get(name, {}).get("pombo_host_last_report_timestamp_seconds")

    def counted(self, name: str, label: str = "") -> int:
        """Return one of the exporter's counters of itself."""
        return round(self.own[f"pombo_exporter_{name}", label])

    @property
    def refused(self) -> dict[str, int]:
        """The refusals that are not 0, by reason."""
        name = "pombo_exporter_datagrams_refused_total"
        return {
            label: round(value) for (key, label), value in self.own.items() if key == name and value
        }

    def report(self, host: Host) -> int | None:
        """Return which report of a host is shown; None where none is.

        Raises:
            ValueError: when a total is none that the host has ever had, or is of another report.
        """
        totals = self.totals.get(host.name)
        if not totals:
            return None
        found = {report_of(host.number, place, value) for place, value in totals.items()}
        number, *others = found
        if number is None or others or len(totals) != len(PLACES):
            raise ValueError(f"{host.name} never had these totals: {dict(totals)}")
        if number > host.reports:
            raise ValueError(f"{host.name} has not sent report {number} yet")
        return number

    def equal_totals(self, hosts: Sequence[Host]) -> int:
        """Return how many totals are those of the hosts' last reports."""
        return sum(
            value == total(host.number, place, host.reports)
            for host in hosts
            for place, value in self.totals.get(host.name, {}).items()
        )


def read(text: bytes, names: frozenset[str]) -> Page:
    """Return what an exposition says; ``names`` are those of the fleet."""
    totals: dict[str, dict[int, int]] = {}
    for family, device, name, value in _SAMPLE.findall(text):
        place = _PLACE.get((family.decode(), device.decode()), _NO_PLACE)
        totals.setdefault(name.decode(), {})[place] = int(value)
    about: dict[str, dict[str, float]] = {}
    for family, name, value in _OF_HOST.findall(text):
        about.setdefault(name.decode(), {})[family.decode()] = float(value)
    own = {
        (name.decode(), label.decode()): float(value) for name, label, value in _OWN.findall(text)
    }
    found = {name.decode() for name in set(_INSTANCE.findall(text))}
    return Page(totals, about, own, frozenset(found - names))
