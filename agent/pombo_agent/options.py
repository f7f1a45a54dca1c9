"""The flags of ``pombo-agent``."""

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
import msgspec
from pombo_cli.config import config_flag
from pombo_cli.flags import Duration, flag, log_flags, split_variable, switch
from pombo_wire.schema import RESERVED_LABELS, LabelName, Text
from pombo_wire.splitting import Form

from pombo_agent import __version__
from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import Filter, Flag, Kind, default_of
from pombo_agent.discovery import collectors_in, collectors_of, module_names
from pombo_agent.server_flags import (
    HTTP_FLAGS,
    SERVER_FLAGS,
    check_mode,
    http_options,
    with_proxy,
)
from pombo_agent.settings import Options, is_valid_name

#: The module of each collector, and the collectors by name.
_MODULES = {found.name: module for module in module_names() for found in collectors_in(module)}
COLLECTORS: dict[str, Collector] = collectors_of(module_names())


class _Label(click.ParamType[tuple[str, str]]):
    """``name=value``."""

    name = "name=value"
    is_pair = True  # so that it may be a mapping in the configuration file

    def split_envvar_value(self, rv: str) -> list[str]:
        return split_variable(rv)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not equals:
            self.fail(f"{value!r} is not a label: write name=value", param, ctx)
        try:
            msgspec.convert(name, LabelName)
            msgspec.convert(text, Text)
            text.encode()
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            self.fail(f"{value!r} is not a label: {error}", param, ctx)
        if name in RESERVED_LABELS:
            self.fail(f"{name!r} is set by Pombo or Prometheus: choose another name", param, ctx)
        return name, text


class _Texts(click.ParamType[str]):
    """A text, of which a variable may have several."""

    name = "text"

    def split_envvar_value(self, rv: str) -> list[str]:
        return split_variable(rv)


class _Pattern(click.ParamType["re.Pattern[str]"]):
    """A regular expression, which matches anywhere in a name unless it is anchored."""

    name = "regex"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> re.Pattern[str]:
        if isinstance(value, re.Pattern):
            return value
        try:
            return re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is not a regular expression: {error}", param, ctx)


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


class _Command(click.Command):
    """A command whose help has the many flags of collectors in sections of their own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags by section; those that enable a collector in one line each."""
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in _SECTIONS}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None:
                sections[_section(option.opts[0])].append(record)
        for title, records in sections.items():
            if not records:
                continue
            with formatter.section(title):
                if title == _OF_COLLECTORS:  # with long names and defaults
                    formatter.write_dl(records, col_max=2)
                elif title == _OPTIONS:
                    formatter.write_dl(records)
                else:
                    formatter.write_text("Each has a variable, such as POMBO_COLLECTOR_CPU=false.")
                    for names, _ in records:
                        formatter.write(f"{'':>{formatter.current_indent}}{names}\n")


_OPTIONS, _OF_COLLECTORS = "Options", "Options of collectors"
_ENABLED, _DISABLED = "Collectors enabled by default", "Collectors disabled by default"
_SECTIONS = (_OPTIONS, _ENABLED, _DISABLED, _OF_COLLECTORS)


def _section(option: str) -> str:
    """Return the section of the help that an option is in."""
    name = option.removeprefix("--collector.")
    if name in COLLECTORS and name != option:
        return _ENABLED if COLLECTORS[name].enabled else _DISABLED
    return _OF_COLLECTORS if name != option and "." in name else _OPTIONS


def _flags_of(collector: Collector) -> Iterator[Callable[..., Any]]:
    """Yield the flag that enables a collector, and its own."""
    yield switch(
        f"collector.{collector.name}",
        default=None,
        help=f"Enable the {collector.name} collector.",
    )
    for own in collector.flags:
        yield from _flags_by_kind(collector.parameter(own), own)


def _flags_by_kind(name: str, own: Flag) -> Iterator[Callable[..., Any]]:
    if own.kind is Kind.FILTER:
        things = own.name.replace("-", " ").removesuffix("s") + "s"
        for verb, default in (("exclude", own.default or "none"), ("include", "all")):
            text = f"Regexp of {things} to {verb}.  [default: {default}]"
            aliases = [f"{own.alias}-{verb}"] if own.alias else []
            yield flag(f"{name}-{verb}", *aliases, type=_Pattern(), help=text)
    elif own.kind is Kind.SWITCH:
        yield switch(name, default=own.default, show_default=True, help=own.help)
    elif own.kind is Kind.TEXTS:
        yield flag(name, type=_Texts(), multiple=True, help=own.help)
    elif own.kind is Kind.NUMBER:
        number = click.IntRange(1, own.most)
        yield flag(name, type=number, default=own.default, show_default=True, help=own.help)
    else:
        kind = _Pattern() if own.kind is Kind.PATTERN else None
        yield flag(name, type=kind, default=own.default, show_default=True, help=own.help)


#: What declares the flags, as decorators of a command.
FLAGS = [
    *SERVER_FLAGS,
    flag(
        "name",
        default=socket.gethostname,
        callback=_name,
        help="Name of this host, its `instance` label.  [default: hostname, even if it changes]",
    ),
    flag(
        "key-file",
        default="",
        metavar="FILE",
        help="File with the key of this host, from `pombo-exporter enroll`. Seals all reports.",
    ),
    flag(
        "one-way",
        is_flag=True,
        help="Do not ask exporters for answers. For networks that let no answers in.",
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
    *HTTP_FLAGS,
    config_flag("/etc/pombo/agent.yml"),
    flag(
        "collector.disable-defaults",
        is_flag=True,
        help="Disable all collectors except those that a flag enables.",
    ),
    *(own for name in sorted(COLLECTORS) for own in _flags_of(COLLECTORS[name])),
    flag("path.procfs", default="/proc", show_default=True, help="procfs mountpoint."),
    flag("path.sysfs", default="/sys", show_default=True, help="sysfs mountpoint."),
    flag(
        "path.rootfs",
        default="/",
        show_default=True,
        help="rootfs mountpoint. In a container: where the host's root is mounted.",
    ),
    flag(
        "path.udev.data",
        default="",
        help="Folder of the udev database.  [default: run/udev/data in the rootfs]",
    ),
    flag(
        "wire",
        type=click.Choice([form.value for form in Form]),
        default=Form.PACKED.value,
        show_default=True,
        help="Form of datagrams: packed, or JSON, which people can read.",
    ),
    flag("once", is_flag=True, help="Print one report to standard output and exit. Sends nothing."),
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
        run(options_of(given))

    built = click.command(
        "pombo-agent",
        cls=_Command,
        help="Send metrics of this host to Pombo exporters, over UDP or HTTP.",
        epilog="`pombo-agent check` says whether reports arrive, and what to do if they do not.",
        context_settings={"max_content_width": 100},
    )(main)
    for decorate in FLAGS:
        decorate(built)
    return built


def options_of(given: Mapping[str, Any]) -> Options:
    """Return the options of the values of all flags. Call it while a command runs.

    Raises:
        click.UsageError: when two values exclude each other, or a file cannot be used.
    """
    if not given["server"] and not given["once"]:
        raise click.UsageError("give --server, or --once to print one report")
    check_mode(given)
    enabled = {
        name: {own.name: _value(given, known.parameter(own), own) for own in known.flags}
        for name, known in COLLECTORS.items()
        if _is_enabled(known, given)
    }
    name, follows = given["name"], is_default("name")
    if given["key_file"]:
        name, follows = _sealed_name(given["key_file"], None if follows else name), False
    return Options(
        servers=with_proxy(dict.fromkeys(given["server"]), given["http_proxy_url"]),
        server_mode=given["server_mode"],
        server_replicas=given["server_replicas"],
        http=http_options(given, given["server"]),
        name=name,
        follow_hostname=follows,
        key_file=given["key_file"],
        one_way=given["one_way"],
        interval=given["interval"],
        labels=given["label"],
        modules=tuple(sorted({_MODULES[name] for name in enabled})),
        collectors=enabled,
        procfs=given["path_procfs"],
        sysfs=given["path_sysfs"],
        rootfs=given["path_rootfs"],
        udev=given["path_udev_data"] or f"{given['path_rootfs'].rstrip('/')}/run/udev/data",
        wire=given["wire"],
        once=given["once"],
        format=given["format"],
        log_level=given["log_level"],
        log_format=given["log_format"],
    )


def _sealed_name(path: str, given: str | None) -> str:
    """Return the name that the key is good for, with which a given name must agree."""
    from pombo_agent.transport.key import read_key  # noqa: PLC0415 - only sealing needs it

    try:
        key = read_key(path)
    except ValueError as error:
        raise click.UsageError(f"--key-file: {error}") from None
    if given is not None and given != key.name:
        remedy = f"omit it, or make the key of this name with `pombo-exporter enroll {given}`"
        raise click.UsageError(f"--name={given} is not the name of the key, {key.name}: {remedy}")
    return key.name


def is_default(parameter: str) -> bool:
    """Return whether neither a flag nor a variable nor the file gave the parameter."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.DEFAULT


def _is_from_file(name: str) -> bool:
    """Return whether the configuration file gave the value of a flag."""
    source = click.get_current_context().get_parameter_source(_parameter(name))
    return source is click.core.ParameterSource.DEFAULT_MAP


def _is_enabled(collector: Collector, given: Mapping[str, Any]) -> bool:
    """Return whether a flag enables the collector, or its default where no flag says it."""
    found: bool | None = given[_parameter(f"collector.{collector.name}")]
    by_default = collector.enabled and not given["collector_disable_defaults"]
    return by_default if found is None else found


def _value(given: Mapping[str, Any], name: str, own: Flag) -> Any:
    """Return the value of a flag of a collector."""
    if own.kind is not Kind.FILTER:
        return given[_parameter(name)]
    include, exclude = given[_parameter(f"{name}-include")], given[_parameter(f"{name}-exclude")]
    if include is None and exclude is None:
        return default_of(own)
    # An empty one is no limit, as in node_exporter, where it removes the default.
    include, exclude = (each if each and each.pattern else None for each in (include, exclude))
    if include and exclude:
        # A flag overrides what the file has, also where that is its opposite.
        of_file = _is_from_file(f"{name}-include"), _is_from_file(f"{name}-exclude")
        if of_file == (True, False):
            return Filter(exclude=exclude)
        if of_file == (False, True):
            return Filter(include=include)
        flags = f"--{name}-include and --{name}-exclude"
        raise click.UsageError(f"{flags} exclude each other: give one of them")
    return Filter(include, exclude)


def _parameter(name: str) -> str:
    return re.sub("[.-]", "_", name)
