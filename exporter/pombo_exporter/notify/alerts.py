"""An alert: a problem of a host, as it is announced when it begins and when it is over.

Names, labels and severities are those of the rules in ``prometheus/rules``.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

_FINGERPRINT_DIGITS: Final = 16


class Kind(StrEnum):
    """What a problem is: the alert's name."""

    DOWN = "PomboHostDown"
    CONFLICT = "PomboHostNameConflict"
    DISK = "HostFilesystemFull"


SEVERITIES: Final[Mapping[Kind, str]] = {
    Kind.DOWN: "critical",
    Kind.CONFLICT: "warning",
    Kind.DISK: "critical",
}


class Key(NamedTuple):
    """What tells one problem from all others; ``mountpoint`` is empty unless it is of a disk."""

    kind: Kind
    host: str
    mountpoint: str = ""

    @property
    def fingerprint(self) -> str:
        """The identifier of the problem, each time that it occurs, on every exporter."""
        parts = (part.encode(errors="replace") for part in self)
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return sha256(framed).hexdigest()[:_FINGERPRINT_DIGITS]


class Words(NamedTuple):
    """An alert for people: what is so, and what to do."""

    summary: str
    description: str


class Alert(Struct, frozen=True, gc=False):
    """One announcement; times are Unix times in seconds.

    ``ends_at`` is None while the problem lasts. ``labels`` are those that the owner gave the host.
    ``in_burst`` is whether the problem began together with many others of its kind.
    """

    key: Key
    labels: Mapping[str, str]
    starts_at: float
    words: Words
    ends_at: float | None = None
    in_burst: bool = False

    @property
    def is_firing(self) -> bool:
        """Whether the problem lasts."""
        return self.ends_at is None

    def resolved(self, words: Words, ends_at: float) -> "Alert":
        """Return the announcement that the problem is over."""
        return replace(self, words=words, ends_at=max(ends_at, self.starts_at))

    def of_burst(self) -> "Alert":
        """Return the same announcement, as one of many that began together."""
        return replace(self, in_burst=True)
