"""Content negotiation, by RFC 9110: which form of an answer a client wants."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from aiohttp import web

from pombo_exporter.metrics.formats import OPENMETRICS, TEXT, Format

_MOST_ELEMENTS: Final = 64  # of one header; a client that sends more is not answered any better
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")  # RFC 9110, section 12.4.2


class _Element(NamedTuple):
    """An element of a header such as ``Accept``, in small letters; 0 is *not acceptable*."""

    value: str
    parameters: dict[str, str]
    quality: float


def exposition_format(request: web.Request) -> Format:
    """Return the format of an exposition that the client prefers.

    A client gets OpenMetrics only if it names that format, as in Prometheus: ``*/*`` is what
    programs send that know neither. One that accepts none of the formats gets text.
    """
    named, text = 0.0, {"text/plain": 0.0, "text/*": 0.0, "*/*": 0.0}
    found = set()
    for element in _elements(request, "Accept"):
        version = element.parameters.get("version", "")
        if element.value == OPENMETRICS.media_type and version in ("", *OPENMETRICS.versions):
            named = max(named, element.quality)
        elif element.value in text and version in ("", *TEXT.versions):
            found.add(element.value)
            text[element.value] = max(text[element.value], element.quality)
    # The most specific range counts.
    quality = next((text[each] for each in text if each in found), 0.0)
    return OPENMETRICS if named and named >= quality else TEXT


def gzip_accepted(request: web.Request) -> bool:
    """Return whether the client accepts gzip, and does not prefer what is not compressed."""
    found = {each.value: each.quality for each in _elements(request, "Accept-Encoding")}
    quality = found.get("gzip", found.get("x-gzip", found.get("*", 0.0)))
    return quality > 0 and quality >= found.get("identity", 0.0)


def _elements(request: web.Request, name: str) -> Iterator[_Element]:
    """Yield the elements of a header; malformed ones are left out."""
    header = ",".join(request.headers.getall(name, ()))
    for text in header.lower().split(",", _MOST_ELEMENTS)[:_MOST_ELEMENTS]:
        value, *pairs = (part.strip() for part in text.split(";", _MOST_ELEMENTS))
        parameters = {}
        for pair in pairs:
            key, _, content = pair.partition("=")
            parameters[key.strip()] = content.strip().strip('"')
        quality = parameters.get("q", "1")
        if value and _QUALITY.fullmatch(quality):
            yield _Element(value, parameters, float(quality))
