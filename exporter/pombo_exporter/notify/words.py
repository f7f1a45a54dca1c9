"""The words of alerts. Names come from strangers, so they are made printable."""

from typing import Final

import numpy as np
from pombo_cli.human import printable, ratio, span

from pombo_exporter.notify.alerts import Words

_CHECK_NETWORK: Final = (
    "Check that the host is up and that its agent runs (systemctl status pombo-agent). If several "
    "hosts went down at once, check the network and the UDP port of the exporter."
)
_FREE_SPACE: Final = (
    "Programs will soon fail to write. Free space: old logs, caches, core dumps, packages. Deleted "
    "files that are still open (lsof +L1) take space until their programs are restarted."
)


def down(host: str, since: float, silence: float, address: str) -> Words:
    """Return what to say of a host that is down since a Unix time; ``address`` may be unknown.

    ``silence`` is how long no report must arrive for that, in seconds.
    """
    last = f"; the last one came from {printable(address)}" if address else ""
    return Words(
        f"{printable(host)} is down: its last report came at {timestamp(since)}",
        f"No report has arrived for {span(silence)}{last}. {_CHECK_NETWORK}",
    )


def back(host: str) -> Words:
    """Return what to say of a host that was down."""
    return Words(f"{printable(host)} reports again", "It is no longer down.")


def forgotten(host: str) -> Words:
    """Return what to say of a host that was forgotten while it was down."""
    text = "It is announced no more. If it was not removed on purpose, it is still down."
    return Words(f"{printable(host)} has not reported for a day", text)


def stopped(host: str) -> Words:
    """Return what to say of a host whose agent has said bye."""
    text = "It said bye, as agents do when they are stopped or their host shuts down."
    return Words(f"The agent of {printable(host)} was stopped", text)


def removed(host: str) -> Words:
    """Return what to say of a host that was deleted or revoked."""
    return Words(f"{printable(host)} was removed from the exporter", "It is announced no more.")


def duplicate(host: str, holder: str, other: str) -> Words:
    """Return what to say of a host of which two agents report, from these addresses."""
    return Words(
        f"Two agents report as {printable(host)}, from {printable(holder)} and {printable(other)}",
        f"The exporter accepts the one at {printable(holder)} and refuses the other. Find a cloned "
        "machine, or a second agent on the same machine, and give each agent its own --name.",
    )


def single(host: str) -> Words:
    """Return what to say of a host of which two agents reported."""
    return Words(f"Only one agent reports as {printable(host)}", "No other was heard lately.")


def disk_is_full(host: str, mountpoint: str, used: float) -> Words:
    """Return what to say of a filesystem of which the share ``used`` is used."""
    return Words(f"{printable(mountpoint)} on {printable(host)} is {ratio(used)} full", _FREE_SPACE)


def disk_has_room(host: str, mountpoint: str) -> Words:
    """Return what to say of a filesystem that was full."""
    return Words(
        f"{printable(mountpoint)} on {printable(host)} has room again",
        "It is no longer over the threshold, or no longer mounted.",
    )


def timestamp(wall: float) -> str:
    """Return a Unix time as RFC 3339 has it, in whole seconds of UTC."""
    return f"{np.datetime64(int(wall), 's')}Z"
