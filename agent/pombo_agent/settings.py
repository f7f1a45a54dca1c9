"""The options of an agent, and their text for the process image that runs with them."""

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from pombo_cli.addresses import Address

from pombo_agent.collecting.flags import from_json, to_json
from pombo_agent.servers import Endpoint, HttpOptions, Listed, Url


class ServerMode(str, Enum):
    """Which of several servers get a report: each, the first that answers, or some by the name."""

    ALL = "all"
    FAILOVER = "failover"
    SHARD = "shard"


class Options(NamedTuple):
    """The values of the flags.

    ``modules`` are those of the enabled collectors; ``collectors`` has the values of the flags of
    each, by the names that it declares. ``key_file`` is empty where reports are not sealed.
    ``interval`` is in seconds; ``wire`` is the value of a ``Form``, ``server_mode`` that of a
    ``ServerMode``. In the mode shard, ``server_replicas`` servers get each report. With
    ``follow_hostname``, ``name`` is the hostname, and changes with it.
    """

    servers: tuple[Endpoint | Listed, ...]
    server_mode: str
    server_replicas: int
    http: HttpOptions
    name: str
    follow_hostname: bool
    key_file: str
    one_way: bool
    interval: float
    labels: Mapping[str, str]
    modules: tuple[str, ...]
    collectors: Mapping[str, Mapping[str, Any]]
    procfs: str
    sysfs: str
    rootfs: str
    udev: str
    wire: str
    once: bool
    format: str
    log_level: str
    log_format: str


def has_answers(options: Options) -> bool:
    """Return whether the agent knows which servers hear it: they answer what is sealed."""
    return bool(options.key_file) and not options.one_way


def is_valid_name(name: str) -> bool:
    """Return whether a host may have this name: 1 to 253 characters of valid UTF-8."""
    try:
        return 1 <= len(name) <= 253 and bool(name.encode())
    except UnicodeEncodeError:
        return False


def to_text(options: Options) -> str:
    """Return ``options`` as JSON."""
    collectors = {
        name: {flag: to_json(value) for flag, value in flags.items()}
        for name, flags in options.collectors.items()
    }
    return json.dumps(options._replace(collectors=collectors)._asdict())


def from_text(text: str) -> Options:
    """Return the options of which ``to_text`` made ``text``."""
    found = json.loads(text)
    collectors = {
        name: {flag: from_json(value) for flag, value in flags.items()}
        for name, flags in found["collectors"].items()
    }
    servers = tuple(map(_server, found["servers"]))
    http = HttpOptions(*found["http"])
    fields = {**found, "servers": servers, "http": http, "collectors": collectors}
    return Options(**{**fields, "modules": tuple(found["modules"])})


def _server(fields: list[Any]) -> Endpoint | Listed:
    if len(fields) == len(Address._fields):
        return Address(*fields)
    if len(fields) == len(Listed._fields):
        return Listed(*fields)
    scheme, host, port, path, proxy = fields
    return Url(scheme, host, port, path, proxy and Address(*proxy))
