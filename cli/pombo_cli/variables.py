"""Environment variables that no flag reads."""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

import click

_PREFIX = "POMBO_"

_SHARED = ("CONFIG_FILE", "LOG_FORMAT", "LOG_LEVEL")

#: What follows the prefix in the variables of each command. Commands may share a file of variables.
COMMANDS = {
    "pombo-agent": (
        *_SHARED,
        *("SERVER", "NAME", "INTERVAL", "LABEL", "COLLECTOR_*", "PATH_*", "WIRE", "ONCE", "FORMAT"),
        *("SERVER_MODE", "SERVER_REPLICAS", "KEY_FILE", "ONE_WAY", "HTTP_*"),
    ),
    "pombo-exporter": (
        *_SHARED,
        *("UDP_LISTEN_ADDRESS", "UDP_RECEIVE_BUFFER", "WEB_LISTEN_ADDRESS", "WEB_FAMILIES"),
        *("WEB_CONFIG_FILE", "WEB_EXTERNAL_URL", "WEB_ROUTE_PREFIX", "WEB_MAX_REQUESTS"),
        *("WEB_MAX_CONNECTIONS", "WEB_GRAFANA_URL", "WEB_PROMETHEUS_URL", "CLUSTER_NAME"),
        *(
            "WEB_ENABLE_ADMIN_API",
            "HOST_FORGET_AFTER",
            "HOST_DOWN_AFTER",
            "LIMIT_HOSTS",
            "LIMIT_SERIES_PER_HOST",
        ),
        *("LIMIT_BYTES", "LIMIT_FAMILIES", "LIMIT_LAYOUTS", "LIMIT_POSTS_PER_SECOND"),
        *("SEAL_KEY_FILE", "REQUIRE_SEALED", "STATE_FILE", "WEB_HISTORY", "WEB_JOIN"),
        "WEB_JOIN_*",
        "THRESHOLD_*",
        *("NOTIFY_URL", "NOTIFY_URL_FILE", "NOTIFY_FOR"),
        *("HEARTBEAT_URL", "HEARTBEAT_URL_FILE", "HEARTBEAT_INTERVAL"),
        *(
            "TOP_HTTP_CONFIG_FILE",
            "TOP_ONCE",
            "TOP_INTERVAL",
            "TOP_SORT",
            "TOP_FILTER",
            "DECODE_FORMAT",
        ),
    ),
}

#: Of the data source of the bundled dashboards.
_OTHERS = ("PROMETHEUS_URL",)

#: Kubernetes and Docker set these for a service whose name begins with pombo.
_OF_SERVICES = re.compile(
    r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def unknown(command: click.Command, variables: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each ``POMBO_*`` variable that nothing reads, and the nearest one of the command.

    The latter is empty where none is near. Variables of Pombo's other command are not unknown.
    """
    others = [each for name, found in COMMANDS.items() if name != command.name for each in found]
    known = [name.removeprefix(_PREFIX) for name in variables_of(command)]
    for variable in sorted(variables):
        name = variable.removeprefix(_PREFIX)
        if name == variable or name in known or _OF_SERVICES.fullmatch(name):
            continue
        if any(fnmatchcase(name, other) for other in (*others, *_OTHERS)):
            continue
        near = get_close_matches(name, known, 1)
        yield variable, f"{_PREFIX}{near[0]}" if near else ""


def variables_of(command: click.Command) -> Iterator[str]:
    """Yield the variables of a command and of its subcommands."""
    prefix = command.context_settings.get("auto_envvar_prefix")
    for option in command.params:
        if isinstance(option.envvar, str):
            yield option.envvar
        elif prefix and isinstance(option, click.Option):
            yield f"{prefix}_{option.name}".upper()
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from variables_of(each)


def warn_of_unknown(log: logging.Logger, variables: Mapping[str, str] = os.environ) -> None:
    """Log a warning for each variable that nothing reads. Call it while a command runs."""
    for name, near in unknown(click.get_current_context().command, variables):
        fields = {"variable": name, **({"nearest": near} if near else {})}
        log.warning("unknown environment variable", extra={"fields": fields})
