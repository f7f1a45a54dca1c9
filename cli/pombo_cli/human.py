"""Values with units for people, and untrusted texts made safe for a terminal."""

from typing import Final

UNKNOWN: Final = "-"

_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SPANS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def size(count: float | None) -> str:
    """Return bytes with a binary unit, to about three digits: ``1.5 GiB``."""
    if count is None:
        return UNKNOWN
    amount, unit = float(count), _SIZES[0]
    for larger in _SIZES[1:]:
        if abs(amount) < 1023.5:
            break
        amount, unit = amount / 1024, larger
    whole = unit == _SIZES[0] or abs(amount) >= 99.95
    return f"{amount:.0f} {unit}" if whole else f"{amount:.1f} {unit}"


def speed(per_second: float | None) -> str:
    """Return bytes per second: ``12 KiB/s``."""
    return UNKNOWN if per_second is None else f"{size(per_second)}/s"


def ratio(value: float | None) -> str:
    """Return a ratio (1 is all) as a percentage: ``25 %``. Below 10 % it has one decimal."""
    if value is None:
        return UNKNOWN
    return f"{100 * value:.0f} %" if value >= 0.0995 or not value else f"{100 * value:.1f} %"


def span(seconds: float | None) -> str:
    """Return a duration in its two largest units: ``3 d 4 h``, ``12 s``, ``250 ms``."""
    if seconds is None:
        return UNKNOWN
    sign, left = ("-" if seconds < 0 else ""), abs(seconds)
    if not left:
        return "0 s"
    if left < 0.0009995:
        return f"{sign}{left * 1e6:.0f} µs"
    if left < 0.9995:
        return f"{sign}{left * 1000:.0f} ms"
    if left < 9.95:
        return f"{sign}{left:.1f}".removesuffix(".0") + " s"
    left = round(left)
    largest = next(at for at, (_, length) in enumerate(_SPANS) if left >= length)
    words: list[str] = []
    for unit, length in _SPANS[largest : largest + 2]:
        count, left = divmod(left, length)
        if count or not words:
            words.append(f"{count:.0f} {unit}")
    return sign + " ".join(words)


def number(value: float) -> str:
    """Return a number with at most three decimals, without exponent or trailing zeros."""
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def printable(text: str) -> str:
    """Return ``text`` with non-printable characters escaped, among them control and bidi ones."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
