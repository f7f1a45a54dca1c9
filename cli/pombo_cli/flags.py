"""Types of flags (durations, addresses), the rule that names their variables, flags of both."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from pombo_cli import logs

DEFAULT_PORT = 5005

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhd]))+")
_TERM = re.compile(r"([0-9]+)(ms|[smhd])")


class Duration(click.ParamType[float]):
    """A span as Prometheus writes it, ``5s``, ``500ms`` or ``1h30m``, to seconds."""

    name = "duration"

    def __init__(self, least: float = 0, most: float = float("inf")) -> None:
        self._least, self._most = least, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds, or fail with what to write instead."""
        if isinstance(value, float):
            return value
        if not _DURATION.fullmatch(value):
            self.fail(f"{value!r} is no duration: write it as 500ms, 5s, 1m or 1h30m", param, ctx)
        seconds = sum(float(count) * _UNITS[unit] for count, unit in _TERM.findall(value))
        if not self._least <= seconds <= self._most:
            self.fail(f"{value!r} is not from {self._least:g}s to {self._most:g}s", param, ctx)
        return seconds


class Address(NamedTuple):
    """A host, as a name or a number without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class AddressType(click.ParamType[Address]):
    """``host:port``, ``host`` (port 5005), ``[ipv6]:port`` or ``:port`` (every address)."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """Return the parts, or fail with what to write instead."""
        if isinstance(value, Address):
            return value
        bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::([0-9]{1,5}))?", value)
        plain = re.fullmatch(r"([^:\[\]\s]*)(?::([0-9]{1,5}))?", value)
        found = bracketed or plain
        if found is None or not value:
            remedy = "write host:port, and an IPv6 address in brackets: [::1]:5005"
            self.fail(f"{value!r} is no address: {remedy}", param, ctx)
        host, port = found[1], int(found[2] or DEFAULT_PORT)
        if port > 65535:
            self.fail(f"{value!r}: a port is from 0 to 65535", param, ctx)
        return Address(host, port)


def flag(name: str, **options: Any) -> Callable[[Command], Command]:
    """Return the option ``--name``, with ``POMBO_NAME`` as its variable.

    Example:
        ``--udp.listen-address`` is ``POMBO_UDP_LISTEN_ADDRESS``, and arrives in the command
        as ``udp_listen_address``.
    """
    return _option(f"--{name}", name, options)


def switch(name: str, **options: Any) -> Callable[[Command], Command]:
    """Return the options ``--name`` and ``--no-name``, true and false, as ``flag`` does."""
    return _option(f"--{name}/--no-{name}", name, options)


def log_flags(command: Command) -> Command:
    """Add ``--log.level`` and ``--log.format``."""
    level = flag(
        "log.level",
        type=click.Choice(logs.LEVELS),
        default="info",
        show_default=True,
        help="Least important line to log.",
    )
    form = flag(
        "log.format",
        type=click.Choice(logs.FORMATS),
        default="logfmt",
        show_default=True,
        help="How a line is written.",
    )
    return level(form(command))


def _option(declaration: str, name: str, options: dict[str, Any]) -> Callable[[Command], Command]:
    parameter = re.sub("[.-]", "_", name.partition("/")[0])
    variable = f"POMBO_{parameter.upper()}"
    return click.option(declaration, parameter, envvar=variable, show_envvar=True, **options)
