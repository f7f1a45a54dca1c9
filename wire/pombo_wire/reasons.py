"""Why bytes are no report: a closed set, each counted by the exporter under its name."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a datagram is no report."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    INVALID_FIELD = "invalid_field"
    UNEQUAL_COLUMNS = "unequal_columns"
    REPEATED_ROW = "repeated_row"
    RESERVED_NAME = "reserved_name"


class DecodeError(ValueError):
    """A datagram was refused. ``str()`` names the field and the remedy."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
