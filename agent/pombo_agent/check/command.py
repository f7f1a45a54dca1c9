"""The command ``pombo-agent check``: its flags, the run, and the exit code."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import click
from pombo_cli.flags import Duration
from pombo_wire.keys import HostKey

from pombo_agent.check import configuration, this_host
from pombo_agent.check.choice import about_mode, servers_of
from pombo_agent.check.facts import Findings
from pombo_agent.check.http_server import check_http
from pombo_agent.check.output import as_json, as_text
from pombo_agent.check.plain_server import check_plain, check_without_key
from pombo_agent.check.sealed_server import check_sealed
from pombo_agent.check.server import Task
from pombo_agent.check.this_host import KeyFault
from pombo_agent.options import FLAGS, is_default, options_of
from pombo_agent.servers import Endpoint, Url
from pombo_agent.settings import Options, ServerMode

#: The most seconds that a check takes.
MOST_SECONDS = 15.0

_WAIT_SECONDS = 0.2  # between two looks at what the threads have done

#: Flags that a check has no use for. They may be in the configuration of an agent.
_HIDDEN = ("--collector.", "--path.", "--once", "--log.", "--label", "--wire", "--server-")

_HELP = """\
Say whether reports of this host arrive at its exporters, and what to do if they do not.

It reads the flags, variables and configuration of the agent. Without --server and --config.file it
takes those of the agent that is installed here: ~/.config/pombo/agent.yml, or /etc/pombo/agent.yml.

Nothing changes at an exporter: with a key, it answers probes. Without one, it cannot answer, so its
HTTP API is asked, and a test datagram is sent that it refuses.

Exit code: 0 if all is well, 1 if something is wrong, 2 for wrong flags.
"""


def main(arguments: Sequence[str]) -> None:
    """Run the command with the arguments behind ``check``, and exit."""
    found = configuration.find(arguments, os.environ)
    if found and not os.access(found, os.R_OK):
        _refuse_unreadable(found)
    of_file = [f"--config.file={found}"] if found else []
    command(found)([*of_file, *arguments], prog_name="pombo-agent check")


def _refuse_unreadable(path: str) -> None:
    """Say who may read a configuration file that this user may not, and exit."""
    stat = os.stat(path)
    owner = this_host.owner_of(stat.st_uid)
    click.echo(
        f"{path} cannot be read by this user: it belongs to {owner}. Run: sudo pombo-agent check",
        err=True,
    )
    sys.exit(1)


def command(found: str) -> click.Command:
    """Return the command; ``found`` is the configuration file that was looked for, if any."""

    def check(**given: Any) -> None:
        sys.exit(_run(given, found))

    built = click.command(
        "pombo-agent check", help=_HELP, context_settings={"max_content_width": 100}
    )(check)
    for decorate in FLAGS:
        decorate(built)
    for option in built.params:
        if isinstance(option, click.Option):
            option.hidden = option.opts[0].startswith(_HIDDEN)
            if option.name == "format":
                option.help = "Output format: text for people, or JSON."
                option.envvar = None
    built.params += [
        click.Option(
            ["--probes"],
            type=click.IntRange(10, 10_000),
            default=100,
            show_default=True,
            help="Probes that loss and round trips are measured with, 20 in a second.",
        ),
        click.Option(
            ["--timeout"],
            type=Duration(0.1, 60),
            default="3s",
            show_default=True,
            help="Time to wait for the first answer of an exporter.",
        ),
        click.Option(
            ["--api", "api"],
            default="",
            metavar="URL",
            callback=_api,
            help="URL of the exporter's HTTP API.  [default: HTTP at the port of --server]",
        ),
    ]
    return built


def _api(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Return the URL of an API, which has no password: other users could see that."""
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in value):
        remedy = "write http://HOST:PORT or https://HOST, and a password with --http.username"
        raise click.BadParameter(f"{re.sub('//.*@', '//', value)!r}: {remedy}", ctx, param)
    return value


def _run(given: dict[str, Any], found: str) -> int:
    """Check this host and each server at the same time, print what was found, return the code."""
    if not given["server"]:
        raise click.UsageError(_no_server(found))
    began = monotonic()
    host = Findings("This host")
    options, key, fault = _about_settings(host, given, found)
    most = MOST_SECONDS + max(0.0, (given["probes"] - 100) / 20) + max(0.0, given["timeout"] - 3)
    task = Task(options, key, given["probes"], given["timeout"], began + most, given["api"])
    checks = [_Check(task, server, fault) for server in servers_of(task, host)]
    for each in checks:
        each.start()
    this_host.about_view(host, options, this_host.container_kind())
    this_host.about_collectors(host, options)
    _wait(checks, task)
    servers = [each.findings for each in checks]
    about_mode(host, options, servers)
    if given["format"] == "json":
        click.echo(as_json(host, servers))
    else:
        width = min(shutil.get_terminal_size((100, 0)).columns, 120)
        is_plain = "utf" not in (sys.stdout.encoding or "").lower()
        text = as_text([host, *servers], width=width, plain=is_plain)
        click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
    return int(not all(each.is_ok for each in (host, *servers)))


def _no_server(found: str) -> str:
    if found:
        return f"no server is given in {found}: write `server: HOST` there"
    looked = " nor ".join(configuration.places(os.environ))
    return f"give --server, or --config.file; there is neither {looked}"


def _about_settings(
    host: Findings, given: dict[str, Any], found: str
) -> tuple[Options, HostKey | None, KeyFault | None]:
    """Add what is known of the settings; return them, and the key or why there is none.

    Raises:
        click.UsageError: when the agent would not start with them, but for its key or its name.
    """
    if found:
        host.ok("configuration", found, file=found)
    key, fault = _read_key(given["key_file"])
    name = given["name"]
    of_flag = None if is_default("name") else name
    source = "the hostname" if of_flag is None else "--name"
    if key is not None:
        name, source = key.name, "the key"
    this_host.about_name(host, name, source, key, of_flag)
    this_host.about_key(host, given["key_file"], key, fault)
    # What is wrong with the key is said above, and need not keep the rest from being checked.
    without_key = {**given, "key_file": ""}
    if given["key_file"]:
        without_key |= {"server_mode": ServerMode.ALL.value, "server_replicas": 1}
    options = options_of(without_key)._replace(
        name=name,
        key_file=given["key_file"],
        server_mode=given["server_mode"],
        server_replicas=given["server_replicas"],
    )
    return options, key, fault


def _read_key(path: str) -> tuple[HostKey | None, KeyFault | None]:
    if not path:
        return None, None
    from pombo_agent.transport.key import read_key  # noqa: PLC0415 - only sealing needs it

    try:
        return read_key(path), None
    except ValueError as error:
        return None, KeyFault(path, str(error))


class _Check(Thread):
    """Checks one server in a thread of its own."""

    def __init__(self, task: Task, server: Endpoint, fault: KeyFault | None) -> None:
        super().__init__(daemon=True)
        self.findings = Findings(str(server))
        self.sent = 0
        self.work: Callable[[], None]
        if isinstance(server, Url):
            self.work = partial(check_http, task, task.key, server, self.findings)
        elif task.key is not None:
            self.work = partial(check_sealed, task, task.key, server, self.findings, self._note)
        elif fault is not None:
            self.work = partial(check_without_key, task, server, self.findings)
        else:
            self.work = partial(check_plain, task, server, self.findings)

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:  # noqa: BLE001 - a check that ends early must not look well
            text = f"the check itself has failed: {type(error).__name__}: {error}"
            self.findings.wrong("check", text)

    def _note(self, sent: int) -> None:
        self.sent = sent


def _wait(checks: Sequence[_Check], task: Task) -> None:
    """Wait until all servers are checked, and show how far that is on a terminal."""
    is_shown = sys.stderr.isatty()
    for each in checks:
        while each.is_alive() and monotonic() < task.end + 1:
            each.join(_WAIT_SECONDS)
            if is_shown:
                sent = sum(one.sent for one in checks)
                what = f"{sent} probes sent" if sent else "..."
                click.echo(f"\rchecking: {what}", err=True, nl=False)
        if each.is_alive():
            each.findings.wrong("check", "it took too long and was ended")
    if is_shown:
        click.echo("\r\x1b[K", err=True, nl=False)
