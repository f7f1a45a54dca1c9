"""The flags of notifications and heartbeats."""

from typing import NamedTuple

from pombo_exporter.notify.targets import Source, Target, read_all


class Targets(NamedTuple):
    """What is called: receivers of notifications, and targets of heartbeats."""

    receivers: list[Target]
    heartbeats: list[Target]


class NotifyFlags(NamedTuple):
    """The values of the flags.

    ``hold`` is how long a problem lasts before it is announced, ``interval`` is that of heartbeats,
    both in seconds.
    """

    receivers: tuple[Source, ...] = ()
    hold: float = 30.0
    heartbeats: tuple[Source, ...] = ()
    interval: float = 60.0

    def read(self) -> Targets:
        """Return the targets.

        Raises:
            TargetError: when one cannot be used.
        """
        return Targets(read_all(self.receivers), read_all(self.heartbeats))
