"""Histograms and summaries, which hosts send in parts: a family for each name of samples.

A histogram ``x`` is sent as ``x_bucket``, ``x_sum`` and ``x_count``, a summary ``x`` as ``x``,
``x_sum`` and ``x_count``. The text format has the parts as one family.
"""

from collections.abc import Callable
from typing import Final

from pombo_exporter.metrics.family import MetricType

_SUM, _COUNT, _BUCKET = "_sum", "_count", "_bucket"
_SUFFIXES: Final = {
    MetricType.HISTOGRAM: (_BUCKET, _SUM, _COUNT),
    MetricType.SUMMARY: (_SUM, _COUNT),
}

#: Returns the type of a family that an exposition may have; None if it has none of this name.
TypeOf = Callable[[str], MetricType | None]


def whole_of(name: str, kind: str) -> str:
    """Return the name of the histogram or summary of which a family of this type is a part.

    That is the name itself for other types.
    """
    for suffix in _SUFFIXES.get(kind, ()):  # type: ignore[call-overload]  # a type is a text
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


def can_be_whole(whole: str, kind: MetricType, type_of: TypeOf) -> bool:
    """Whether the parts of a histogram or summary can be one family.

    No family that is not a part may have a name that a parser would take for one, and no part may
    be a histogram or summary itself.
    """
    if type_of(whole) not in ((None, kind) if kind is MetricType.SUMMARY else (None,)):
        return False
    parts = [whole + suffix for suffix in _SUFFIXES[kind]]
    if any(type_of(part) not in (None, kind) for part in parts):
        return False
    others = [*parts, *(whole_of(whole, each) for each in _SUFFIXES)]
    return not any(_is_whole(other, type_of) for other in others if other != whole)


def _is_whole(name: str, type_of: TypeOf) -> bool:
    """Whether there are parts of a histogram or summary of this name."""
    return any(type_of(name + suffix) in _SUFFIXES for suffix in _SUFFIXES[MetricType.HISTOGRAM])
