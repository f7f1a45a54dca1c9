"""Flags: the types duration, size and address, environment variables, and the log flags."""

import re
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pombo_cli import logs
from pombo_cli.addresses import DEFAULT_PORT
from pombo_cli.addresses import Address as Address  # noqa: PLC0414 - also found here

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"0|(?:[0-9]+(?:ms|[smhd]))+")  # as in Prometheus, 0 needs no unit
_TERM = re.compile(r"([0-9]+)(ms|[smhd])")


class Duration(click.ParamType[float]):
    """A duration as Prometheus writes it, ``5s``, ``500ms`` or ``1h30m``, to seconds."""

    name = "duration"

    def __init__(self, minimum: float = 0, maximum: float = float("inf")) -> None:
        self._minimum, self._maximum = minimum, maximum

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds, or fail with a remedy."""
        if isinstance(value, float):
            return value
        if not _DURATION.fullmatch(value):
            self.fail(
                f"{value!r} is not a duration: write it as 500ms, 5s, 1m or 1h30m", param, ctx
            )
        seconds = sum(float(count) * _UNITS[unit] for count, unit in _TERM.findall(value))
        if not self._minimum <= seconds <= self._maximum:
            bounds = f"{self._minimum:g}s to {self._maximum:g}s"
            self.fail(f"{value!r} is not from {bounds}", param, ctx)
        return seconds


_SIZE = re.compile(r"([0-9]+)([KMGT]iB)?")
_SIZE_UNITS = {None: 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Size(click.ParamType[int]):
    """A size as bytes, ``4194304``, or with a unit, ``4MiB``, to bytes."""

    name = "size"

    def __init__(self, minimum: int = 0, maximum: int = 2**63 - 1) -> None:
        self._minimum, self._maximum = minimum, maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes, or fail with a remedy."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is not a size: write bytes, or 64KiB, 4MiB, 2GiB", param, ctx)
        size = int(match[1]) * _SIZE_UNITS[match[2]]
        if not self._minimum <= size <= self._maximum:
            self.fail(f"{value!r} is not from {self._minimum} to {self._maximum} bytes", param, ctx)
        return size


class AddressType(click.ParamType[Address]):
    """``host:port``, ``host`` (port 5005), ``[ipv6]:port`` or ``:port`` (all addresses)."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """Return the address, or fail with a remedy."""
        if isinstance(value, Address):
            return value
        in_brackets = re.fullmatch(r"\[([^\[\]]*)\](?::([0-9]{1,5}))?", value)
        plain = re.fullmatch(r"([^:\[\]\s]*)(?::([0-9]{1,5}))?", value)
        match = in_brackets or plain
        if match is None or not value:
            remedy = "write host:port, and an IPv6 address in brackets: [::1]:5005"
            self.fail(f"{value!r} is not an address: {remedy}", param, ctx)
        host, port = match[1], int(match[2] or DEFAULT_PORT)
        if port > 65535:
            self.fail(f"{value!r}: a port is from 0 to 65535", param, ctx)
        return Address(host, port)


def split_variable(text: str) -> list[str]:
    """Return the values in a variable whose flag may be repeated.

    Commas and white space separate them, except in quotes as of a shell: ``rack=7 room="hall 2"``.

    Raises:
        click.BadParameter: when a quote is not closed.
    """
    words = shlex.shlex(text, posix=True, punctuation_chars=False)
    words.whitespace += ","
    words.whitespace_split, words.commenters = True, ""
    try:
        return [*words]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} cannot be split into values: {error}") from None


def flag(name: str, *aliases: str, **options: Any) -> Callable[[Command], Command]:
    """Return the option ``--name``, with the environment variable ``POMBO_NAME``.

    The ``aliases`` are other names of the option.

    Example:
        ``--udp.listen-address`` has the variable ``POMBO_UDP_LISTEN_ADDRESS`` and the parameter
        ``udp_listen_address``.
    """
    return _option([f"--{each}" for each in (name, *aliases)], name, options)


def switch(name: str, **options: Any) -> Callable[[Command], Command]:
    """Return the options ``--name`` for true and ``--no-name`` for false; else as ``flag``."""
    return _option([f"--{name}/--no-{name}"], name, options)


def log_flags(command: Command) -> Command:
    """Add ``--log.level`` and ``--log.format``."""
    level = flag(
        "log.level",
        type=click.Choice(logs.LEVELS),
        default="info",
        show_default=True,
        help="Minimum log level.",
    )
    log_format = flag(
        "log.format",
        type=click.Choice(logs.FORMATS),
        default="logfmt",
        show_default=True,
        help="Log format.",
    )
    return level(log_format(command))


def _option(
    declarations: list[str], name: str, options: dict[str, Any]
) -> Callable[[Command], Command]:
    parameter = re.sub("[.-]", "_", name.partition("/")[0])
    variable = f"POMBO_{parameter.upper()}"
    return click.option(*declarations, parameter, envvar=variable, show_envvar=True, **options)
