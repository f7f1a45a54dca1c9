"""The reasons for which a datagram is not a valid report, each counted by the exporter."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a datagram is not a valid report; the values of the label ``reason``."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    INVALID_FIELD = "invalid_field"
    UNEQUAL_COLUMNS = "unequal_columns"
    REPEATED_ROW = "repeated_row"
    RESERVED_NAME = "reserved_name"


class DecodeError(ValueError):
    """A datagram is not a valid report. ``str()`` names the field and the remedy."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
