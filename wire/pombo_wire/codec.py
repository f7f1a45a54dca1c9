"""Reports to datagrams and back: pure functions, no I/O."""

import msgspec

from pombo_wire.reasons import DecodeError, Reason
from pombo_wire.schema import (
    MAX_DATAGRAM_BYTES,
    RESERVED_GAUGE_PREFIXES,
    RESERVED_GAUGES,
    RESERVED_LABELS,
    Report,
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Report).decode


def encode(report: Report) -> bytes:
    """Return ``report`` as a datagram; fields that have their default are omitted."""
    return _encode(report)


def decode(datagram: bytes) -> Report:
    """Return the report in a datagram.

    Raises:
        DecodeError: when the datagram is not a valid report.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        detail = f"longer than {MAX_DATAGRAM_BYTES} bytes: split the report by section or row"
        raise DecodeError(Reason.TOO_LARGE, detail)
    try:
        report = _decode(datagram)
    except msgspec.ValidationError as error:
        cause = error.__cause__  # raised by Table.__post_init__
        reason = cause.reason if isinstance(cause, DecodeError) else Reason.INVALID_FIELD
        raise DecodeError(reason, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(Reason.NOT_JSON, f"send one UTF-8 JSON object: {error}") from None
    if (report.session is None) is not (report.seq is None):
        raise DecodeError(Reason.INVALID_FIELD, "`$.session` and `$.seq` go together: send both")
    if report.gauges or report.labels:
        _check_names(report)
    return report


def _check_names(report: Report) -> None:
    for name in report.gauges or ():
        if name in RESERVED_GAUGES or name.startswith(RESERVED_GAUGE_PREFIXES):
            detail = f"gauge `{name}` has a name that Prometheus or Pombo reserves: choose another"
            raise DecodeError(Reason.RESERVED_NAME, detail)
    for name in report.labels or ():
        if name in RESERVED_LABELS:
            detail = f"label `{name}` is set by Pombo or by Prometheus: choose another name"
            raise DecodeError(Reason.RESERVED_NAME, detail)
