"""The flags of ``pombo-agent``."""

import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

import click
import msgspec
from pombo_cli.flags import (
    Address,
    AddressType,
    Duration,
    flag,
    log_flags,
    split_variable,
    switch,
)
from pombo_wire.schema import RESERVED_LABELS, LabelName, Text
from pombo_wire.splitting import Form

from pombo_agent import __version__
from pombo_agent.collectors import COLLECTORS, Filter
from pombo_agent.settings import Options, is_valid_name

_PSEUDO_FILESYSTEMS = (
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "erofs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
)

_SYSTEM_MOUNTS = (
    "dev",
    "proc",
    "sys",
    "run/credentials/.+",
    "var/lib/docker/.+",
    "var/lib/containers/storage/.+",
)

_PARTITIONS_LOOP_AND_RAM = (
    r"(fd|loop|ram)\d+",
    r"[hsv]d[a-z]\d+",
    r"xvd[a-z]\d+",
    r"nvme\d+n\d+p\d+",
)

#: The default of ``--collector.NAME-exclude``, by NAME. They have the effect of node_exporter's.
FILTERS = {
    "filesystem.fs-types": f"^({'|'.join(_PSEUDO_FILESYSTEMS)})$",
    "filesystem.mount-points": f"^/({'|'.join(_SYSTEM_MOUNTS)})(/|$)",
    "diskstats.device": f"^({'|'.join(_PARTITIONS_LOOP_AND_RAM)})$",
    "netdev.device": None,
}


class _Server(AddressType):
    """An address with a host and a port to send to."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return split_variable(rv)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        address = super().convert(value, param, ctx)
        if not address.host or not address.port:
            self.fail(f"{value!r} is no destination: write host or host:port", param, ctx)
        return address


class _Label(click.ParamType[tuple[str, str]]):
    """``name=value``."""

    name = "name=value"

    def split_envvar_value(self, rv: str) -> list[str]:
        return split_variable(rv)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not equals:
            self.fail(f"{value!r} is no label: write name=value", param, ctx)
        try:
            msgspec.convert(name, LabelName)
            msgspec.convert(text, Text)
            text.encode()
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            self.fail(f"{value!r} is no label: {error}", param, ctx)
        if name in RESERVED_LABELS:
            self.fail(f"{name!r} is set by Pombo or Prometheus: choose another name", param, ctx)
        return name, text


class _Pattern(click.ParamType["re.Pattern[str]"]):
    """A regular expression, which matches anywhere in a name unless it is anchored."""

    name = "regex"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> re.Pattern[str]:
        try:
            return re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is no regular expression: {error}", param, ctx)


def _name(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not is_valid_name(value):
        raise click.BadParameter("write 1 to 253 characters as UTF-8", ctx, param)
    return value


def _labels(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    labels = dict(value)
    if len(labels) < len(value):
        raise click.BadParameter("a name is given twice", ctx, param)
    if len(labels) > 32:
        raise click.BadParameter("at most 32 labels", ctx, param)
    return labels


def _plural(filter_name: str) -> str:
    """Return what a filter keeps or excludes: ``mount points`` for ``filesystem.mount-points``."""
    return filter_name.partition(".")[2].replace("-", " ").removesuffix("s") + "s"


_FLAGS = [
    flag(
        "server",
        type=_Server(),
        multiple=True,
        metavar="HOST[:PORT]",
        help="Exporter to send reports to; may be repeated.  [port: 5005]  [required]",
    ),
    flag(
        "name",
        default=socket.gethostname,
        callback=_name,
        help="Name of this host, its `instance` label.  [default: hostname, followed]",
    ),
    flag(
        "interval",
        type=Duration(0.1, 3600),
        default="5s",
        show_default=True,
        help="Time between reports.",
    ),
    flag(
        "label",
        type=_Label(),
        multiple=True,
        callback=_labels,
        help="Label of `pombo_host_info`; may be repeated.",
    ),
    *(
        switch(
            f"collector.{name}",
            default=True,
            help=f"Enable the {name} collector.  [default: enabled]",
        )
        for name in COLLECTORS
    ),
    *(
        flag(
            f"collector.{name}-{verb}",
            type=_Pattern(),
            help=f"Regexp of {_plural(name)} to {verb}.  [default: {default}]",
        )
        for name, exclude in FILTERS.items()
        for verb, default in (("exclude", exclude or "none"), ("include", "all"))
    ),
    flag("path.procfs", default="/proc", show_default=True, help="procfs mountpoint."),
    flag("path.sysfs", default="/sys", show_default=True, help="sysfs mountpoint."),
    flag(
        "path.rootfs",
        default="/",
        show_default=True,
        help="rootfs mountpoint; in a container, where the host's root is mounted.",
    ),
    flag(
        "wire",
        type=click.Choice([form.value for form in Form]),
        default=Form.PACKED.value,
        show_default=True,
        help="Form of datagrams: packed, or JSON for people and other receivers.",
    ),
    flag("once", is_flag=True, help="Print one report to standard output and exit."),
    flag(
        "format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Output format of --once: text for people, or one JSON datagram per line.",
    ),
    log_flags,
    click.version_option(__version__, prog_name="pombo-agent"),
]


def command(run: Callable[[Options], None]) -> click.Command:
    """Return the command that parses the flags and calls ``run`` with them."""

    def main(**given: Any) -> None:
        run(_options(given))

    built = click.command(
        "pombo-agent", help="Send metrics of this host to Pombo exporters over UDP."
    )(main)
    for decorate in _FLAGS:
        decorate(built)
    return built


def _options(given: Mapping[str, Any]) -> Options:
    if not given["server"] and not given["once"]:
        raise click.UsageError("give --server, or --once to print one report")
    return Options(
        servers=tuple(dict.fromkeys(given["server"])),
        name=given["name"],
        follow_hostname=_is_default("name"),
        interval=given["interval"],
        labels=given["label"],
        collectors=tuple(name for name in COLLECTORS if given[f"collector_{name}"]),
        filters={name: _filter(given, name, exclude) for name, exclude in FILTERS.items()},
        procfs=given["path_procfs"],
        sysfs=given["path_sysfs"],
        rootfs=given["path_rootfs"],
        wire=given["wire"],
        once=given["once"],
        format=given["format"],
        log_level=given["log_level"],
        log_format=given["log_format"],
    )


def _is_default(parameter: str) -> bool:
    """Return whether neither a flag nor a variable gave the parameter."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.DEFAULT


def _filter(given: Mapping[str, Any], name: str, default: str | None) -> Filter:
    parameter = f"collector_{re.sub('[.-]', '_', name)}"
    include, exclude = given[f"{parameter}_include"], given[f"{parameter}_exclude"]
    if include and exclude:
        flags = f"--collector.{name}-include and --collector.{name}-exclude"
        raise click.UsageError(f"{flags} exclude each other: give one of them")
    if include is None and exclude is None and default:
        exclude = re.compile(default)
    return Filter(include, exclude)
