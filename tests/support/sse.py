"""Server-sent events as a subscriber receives them, decoded."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiohttp import ClientResponse

#: The name of an event, and its data.
Received = tuple[str, Any]


def parse_events(text: str) -> list[Received]:
    """Return the events of a stream that have data, without those that say that it is alive."""
    found = []
    for block in text.split("\n\n")[:-1]:
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "data" in lines and lines["event"] != "alive":
            found.append((lines["event"], msgspec.json.decode(lines["data"])))
    return found


async def events(response: ClientResponse) -> AsyncIterator[Received]:
    """Yield the events of an uncompressed response as they arrive."""
    text = ""
    async for data in response.content.iter_any():
        text += data.decode()
        whole, mark, text = text.rpartition("\n\n")
        for event in parse_events(whole + mark):
            yield event


def host_names(data: Any) -> list[str]:
    """Return the names of the hosts in a snapshot or delta of the fleet."""
    return [host["name"] for host in data["hosts"]]
