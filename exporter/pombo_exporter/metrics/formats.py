"""The formats of an exposition, and which of them a client gets."""

from collections.abc import Callable
from typing import NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_text

_OPENMETRICS = "application/openmetrics-text"


class Format(NamedTuple):
    """A format; ``encode`` writes a registry of prometheus_client in it, with the end."""

    openmetrics: bool
    encode: Callable[..., bytes]
    content_type: str
    end: bytes


_PLAIN = Format(
    openmetrics=False, encode=generate_latest, content_type=CONTENT_TYPE_PLAIN_0_0_4, end=b""
)
_OPEN = Format(
    openmetrics=True,
    encode=openmetrics_text.generate_latest,
    content_type=openmetrics_text.CONTENT_TYPE_LATEST,
    end=b"# EOF\n",
)


def format_for(accept: str) -> Format:
    """Return the format to answer in, by the request header ``Accept``.

    OpenMetrics if the client accepts it, or else the text format.
    """
    return _OPEN if _OPENMETRICS in accept else _PLAIN
