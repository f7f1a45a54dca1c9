"""The options of an agent, and their text for the process image that runs with them."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from pombo_cli.addresses import Address

from pombo_agent.collectors import Filter


class Options(NamedTuple):
    """The values of the flags.

    ``interval`` is in seconds; ``wire`` is the value of a ``Form``. With ``follow_hostname``,
    ``name`` is the hostname, and changes with it.
    """

    servers: tuple[Address, ...]
    name: str
    follow_hostname: bool
    interval: float
    labels: Mapping[str, str]
    collectors: tuple[str, ...]
    filters: Mapping[str, Filter]
    procfs: str
    sysfs: str
    rootfs: str
    wire: str
    once: bool
    format: str
    log_level: str
    log_format: str


def is_valid_name(name: str) -> bool:
    """Return whether a host may have this name: 1 to 253 characters of valid UTF-8."""
    try:
        return 1 <= len(name) <= 253 and bool(name.encode())
    except UnicodeEncodeError:
        return False


def to_text(options: Options) -> str:
    """Return ``options`` as JSON."""
    filters = {
        name: [pattern and pattern.pattern for pattern in each]
        for name, each in options.filters.items()
    }
    return json.dumps(options._replace(filters=filters)._asdict())  # type: ignore[arg-type]


def from_text(text: str) -> Options:
    """Return the options of which ``to_text`` made ``text``."""
    found = json.loads(text)
    filters = {
        name: Filter(*(pattern and re.compile(pattern) for pattern in patterns))
        for name, patterns in found["filters"].items()
    }
    servers = tuple(Address(*server) for server in found["servers"])
    fields = {**found, "servers": servers, "filters": filters}
    return Options(**{**fields, "collectors": tuple(found["collectors"])})
