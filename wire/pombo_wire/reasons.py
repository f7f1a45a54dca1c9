"""The reasons for which a datagram is not a valid report, each counted by the exporter."""

from enum import Enum
from typing import Final

#: The most characters of a detail that are kept.
_MAX_DETAIL: Final = 300


class Reason(str, Enum):
    """Why a datagram is not a valid report; the values of the label ``reason``."""

    TOO_LARGE = "too_large"
    UNKNOWN_FORM = "unknown_form"
    UNKNOWN_DICTIONARY = "unknown_dictionary"
    NOT_DEFLATE = "not_deflate"
    NOT_JSON = "not_json"
    INVALID_FIELD = "invalid_field"
    UNEQUAL_COLUMNS = "unequal_columns"
    UNEQUAL_NUMBERS = "unequal_numbers"
    REPEATED_ROW = "repeated_row"
    RESERVED_NAME = "reserved_name"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SEAL = "bad_seal"
    WRONG_NAME = "wrong_name"
    REVOKED = "revoked"

    __str__ = str.__str__  # the value, as in enum.StrEnum of Python 3.11
    __hash__ = str.__hash__  # an enum's own one is Python, and each refusal looks up its reason


class DecodeError(ValueError):
    """A datagram is not a valid report. ``str()`` names the field and the remedy.

    A detail may quote the datagram. So it is cut, and characters that change what a terminal shows
    are escaped.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        detail = detail if len(detail) <= _MAX_DETAIL else f"{detail[:_MAX_DETAIL]}…"
        super().__init__(detail if detail.isprintable() else _escaped(detail))
        self.reason = reason


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
