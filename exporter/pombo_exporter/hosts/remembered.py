"""What outlives the exporter of a host: who holds its name, and how far its numbers have come.

Source: docs/recovery.md, "After a restart of the exporter". Nothing that a host measures is kept.
"""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct
from pombo_wire import DEFAULT_INTERVAL_SECONDS
from pombo_wire.sealing import CHALLENGE_BYTES

from pombo_exporter.hosts.holder import Holder
from pombo_exporter.hosts.host import Host, State

_Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Remembered(Struct, frozen=True, gc=False):
    """One host, as a line of the state file.

    ``salt`` is in hexadecimal, and empty like ``generation`` where the host does not seal. ``seq``
    is the newest number that was accepted, ``proven`` whether an agent of this name has ever shown
    the challenge. ``agent`` is whether the reports have a session, ``gone`` whether it said bye.
    ``interval`` is in seconds and ``seen`` the Unix time of its last report; both are only shown.
    """

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    generation: Annotated[int, Meta(ge=0, le=255)] | None
    salt: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")]
    seq: _Number
    session: _Number
    sealed: bool
    proven: bool
    agent: bool
    gone: bool
    interval: Annotated[float, Meta(ge=0.1, le=3600)] = DEFAULT_INTERVAL_SECONDS
    seen: Annotated[int, Meta(ge=0, le=2**40)] = 0

    @property
    def is_consistent(self) -> bool:
        """Whether its fields can be of one host."""
        seals = self.generation is not None
        return self.sealed is bool(self.salt) is seals and len(self.name.encode()) <= 255


def remembered(host: Host) -> Remembered | None:
    """Return what to keep of a host; None where no agent holds its name, or a plain one has left.

    The next plain agent may take such a name as if it were new.
    """
    holder = host.holder
    if holder.session is None or (host.said_bye and not holder.is_sealed):
        return None
    return Remembered(
        name=host.name,
        generation=holder.generation,
        salt=holder.salt.hex(),
        seq=max(0, host.sequence.newest),
        session=holder.session,
        sealed=holder.is_sealed,
        proven=holder.proven,
        agent=holder.session > 0,
        gone=host.said_bye,
        interval=host.interval,
        seen=max(0, round(host.last_seen_wall)),
    )


def restored(
    record: Remembered, place: int, now: float, random: Callable[[int], bytes], down_after: int
) -> Host:
    """Return a host as it is when the exporter starts: down, until it is heard.

    ``now`` is the monotonic clock in seconds, ``down_after`` is that of the host. Its agent may go
    on with any number above ``seq``; another one has to show a challenge that is drawn now, if an
    agent was ever proven.
    """
    host = Host(
        record.name, ("", 0), place, state=State.DOWN, is_restored=True, down_after=down_after
    )
    host.interval = record.interval
    host.last_seen = now - host.down_after * host.interval
    host.last_seen_wall = float(record.seen)
    host.said_bye = record.gone
    host.sequence.start_session(record.seq + 1)
    challenge = random(CHALLENGE_BYTES) if record.sealed else b""
    host.holder = Holder.of_file(
        record.session,
        bytes.fromhex(record.salt),
        record.generation,
        challenge,
        proven=record.proven,
    )
    return host
