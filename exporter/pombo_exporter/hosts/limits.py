"""The limits of what is kept in memory, and the refusals of reports that would exceed them."""

from dataclasses import dataclass
from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a valid report was refused."""

    HOST_LIMIT = "host_limit"
    NEW_NAME_LIMIT = "new_name_limit"
    SERIES_LIMIT = "series_limit"
    SECTION_LIMIT = "section_limit"
    BYTES_LIMIT = "bytes_limit"
    FAMILY_LIMIT = "family_limit"
    LAYOUT_LIMIT = "layout_limit"
    CONFLICT = "conflict"
    UNPROVEN = "unproven"
    REPLAYED = "replayed"
    PLAIN_OF_SEALED = "plain_of_sealed"
    NOT_SEALED = "not_sealed"

    __hash__ = str.__hash__  # an enum's own one is Python, and each refusal looks up its reason


class AdmissionError(Exception):
    """A valid report was refused; ``str()`` says why and, for a limit, which."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """The limits of what is kept in memory; ``forget_after`` is in seconds.

    A host is down after ``down_after`` intervals of silence.

    ``bytes`` is for all hosts, as booked; ``families`` is the number of different open families,
    and ``layouts`` that of different section layouts. A datagram with another layout is compared
    with all sections of its host, so the items of these are bounded too.
    """

    hosts: int = 10_000
    series_per_host: int = 50_000
    forget_after: float = 3600.0
    down_after: int = 3
    bytes: int = 2**30
    families: int = 10_000
    layouts: int = 1_000_000
    items_per_host: int = 12_288
