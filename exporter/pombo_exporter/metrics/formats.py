"""The formats of an exposition."""

from collections.abc import Callable
from typing import Final, NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_text


class Format(NamedTuple):
    """A format; ``encode`` writes a registry of prometheus_client in it, with the end.

    ``versions`` are those of the media type that a client may ask for to get it.
    """

    openmetrics: bool
    media_type: str
    versions: tuple[str, ...]
    encode: Callable[..., bytes]
    content_type: str
    end: bytes


TEXT: Final = Format(
    openmetrics=False,
    media_type="text/plain",
    versions=("0.0.4",),
    encode=generate_latest,
    content_type=CONTENT_TYPE_PLAIN_0_0_4,
    end=b"",
)
OPENMETRICS: Final = Format(
    openmetrics=True,
    media_type="application/openmetrics-text",
    versions=("1.0.0", "0.0.1"),
    encode=openmetrics_text.generate_latest,
    content_type=openmetrics_text.CONTENT_TYPE_LATEST,
    end=b"# EOF\n",
)
