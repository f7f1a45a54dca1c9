"""The subcommand `enroll`: how to set up the agent of a new host, and the key of the host."""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import click
from pombo_cli.config import values_in_file
from pombo_cli.flags import AddressType, flag
from pombo_cli.human import printable

from pombo_exporter.installer.agents import FOLDER, Agents
from pombo_exporter.installer.command import command
from pombo_exporter.installer.script import checksum, script
from pombo_exporter.web.base import ExternalUrl, external_url, path_prefix
from pombo_exporter.web.join import PATH

#: The configuration of an exporter that a package has installed.
_CONFIG: Final = Path("/etc/pombo/exporter.yml")

#: The path of a URL that takes reports, where it has none.
_REPORT: Final = "/report"

#: A name or an address of a host.
_HOST: Final = re.compile(r"[\w.-]+|[\da-fA-F:.]+")

_BY_HAND: Final = """\
On {name}, write the key below into a file that only the agent may read, and start the agent:

    install -m 0600 /dev/stdin pombo.key     # paste the key, then press Enter and Ctrl-D
    pombo-agent --key-file=pombo.key --server=EXPORTER

With --server=EXPORTER, `enroll` prints a command that installs the agent, too.

{key}"""

_INSTALL: Final = """\
1. On {name}, paste this, as root for a service of the system, or as any other user. It downloads
   the installer, verifies it and runs it. With --dry-run at the end of its last line, nothing is
   changed.

{command}

"""

_SEALED: Final = """\
2. When the installer asks for the key, paste the line below. Nobody else should see it. Then
   {page} shows when {name} reports.

{key}"""

_PLAIN: Final = """\
2. {page} shows when {name} reports.

There is no key, as no --seal.key-file is given: reports are not sealed, so others can read them on
their way, and can report under this name."""


class _Server(NamedTuple):
    """What an agent reports to, and the URL of the exporter, without a slash at its end.

    ``is_address`` is one that is without the path of the exporter.
    """

    text: str
    url: str
    is_address: bool


class _ServerType(click.ParamType[_Server]):
    """``HOST[:PORT]`` for UDP, or an URL for HTTP, as the agent takes it."""

    name = "server"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> _Server:
        if isinstance(value, _Server):
            return value
        if "://" in value:
            try:
                found = external_url(value)
            except ValueError as error:
                self.fail(str(error), param, ctx)
            path = found.path.removesuffix(_REPORT)
            return _Server(value, f"{found.scheme}://{found.authority}{path}", is_address=False)
        address = AddressType().convert(value, param, ctx)
        if not _HOST.fullmatch(address.host) or not address.port:
            remedy = "write it as agents reach this exporter: HOST, HOST:PORT or https://HOST"
            self.fail(f"{value!r} is not an address of an exporter: {remedy}", param, ctx)
        return _Server(str(address), f"http://{address}", is_address=True)


@click.command(context_settings={"max_content_width": 100})
@click.argument("name")
@click.option(
    "--server",
    type=_ServerType(),
    metavar="HOST[:PORT]|URL",
    help="This exporter, as the host reaches it: prints a command that installs the agent.  "
    "[port: 5005]",
)
@flag(
    "seal.key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Key file of the exporter. Without it reports are not sealed.",
)
@flag("web.external-url", help="URL under which the exporter is reached.  [default: of --server]")
@flag("web.route-prefix", help="Prefix of all paths, as the exporter has it.")
@flag(
    "web.join-files",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with one-file agents, as the exporter has it.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "key"]),
    default="text",
    show_default=True,
    help="Instructions and the key, or the key alone.",
)
@click.pass_context
def enroll(ctx: click.Context, /, name: str, server: _Server | None, form: str, **_: Any) -> None:
    """Print how to set up the agent of the host NAME, and its key. Nothing is stored.

    Flags may also stand before the subcommand, or in the configuration of the exporter: the file of
    --config.file, or else /etc/pombo/exporter.yml.
    """
    given = _Given(ctx)
    key_file = given.path("seal.key-file")
    key = None if key_file is None else _key(name, key_file)
    if key is None and (form == "key" or server is None):
        raise click.UsageError("give --seal.key-file, which has the key of the fleet, or --server")
    if form == "key":
        click.echo(key)
    elif server is None:
        click.echo(_BY_HAND.format(name=printable(name), key=key))
    else:
        click.echo(_instructions(name, key, server, given))


def _key(name: str, path: Path) -> str:
    """Return the key of a host."""
    from pombo_wire.keys import derived, host_key_text  # noqa: PLC0415 - only sealing needs it

    from pombo_exporter.seal.crypto import CRYPTO  # noqa: PLC0415
    from pombo_exporter.seal.key_file import KeyFileError, read_key_file  # noqa: PLC0415

    try:
        keys = read_key_file(path, CRYPTO)
        encoded = name.encode()
        if encoded in keys.denied:
            raise click.ClickException(f"{name!r} is denied in {path}: remove that line")
        host = derived(CRYPTO, keys.first, keys.generations.get(encoded, 0), name)
    except (KeyFileError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    return host_key_text(CRYPTO, host)


def _instructions(name: str, key: str | None, server: _Server, given: "_Given") -> str:
    folder = given.path("web.join-files") or FOLDER
    agents = Agents(folder).read()
    if not given.is_served:
        remedy = "start the exporter without it, or omit --server and install the agent by hand"
        raise click.ClickException(f"the exporter has --no-web.join: {remedy}")
    if not agents:
        remedy = (
            "give --web.join-files, as the exporter has it (`make dist` fills dist/agents), "
            "or omit --server and install the agent by hand"
        )
        raise click.ClickException(f"{folder} has no agents that a host could download: {remedy}")
    try:
        if not 1 <= len(name) <= 253 or not name.encode():
            raise click.ClickException("a name has 1 to 253 characters")
        url = given.base(server) + PATH
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    pasted = command(url, checksum(script(agents)), server.text, name, sealed=key is not None)
    rest = _PLAIN if key is None else _SEALED
    page = f"{url}?name={quote(name, safe='')}"
    return (_INSTALL + rest).format(name=printable(name), command=pasted, page=page, key=key)


class _Given:
    """Flags of the subcommand, or else of the command before it, or of the configuration file."""

    def __init__(self, ctx: click.Context) -> None:
        self._own, self._group = ctx.params, ctx.find_root()
        self._file: dict[str, Any] = {}
        if self._group.default_map is None and self._group is not ctx and _CONFIG.exists():
            self._file = values_in_file(self._group, str(_CONFIG))

    def text(self, name: str) -> str:
        """Return the value of a flag as text; empty without any."""
        return str(self._value(name) or "")

    def path(self, name: str) -> Path | None:
        """Return the value of a flag that is a path."""
        text = self.text(name)
        return Path(text) if text else None

    @property
    def is_served(self) -> bool:
        """Whether the exporter serves agents."""
        return bool(self._group.params.get("web_join", True)) and self._file.get("web_join", True)

    def base(self, server: _Server) -> str:
        """Return the URL of the exporter, without a slash at its end.

        Raises:
            ValueError: when a flag is wrong.
        """
        found: Any = self._value("web.external-url")
        if not found:
            prefix = path_prefix(self.text("web.route-prefix")) if server.is_address else ""
            return server.url + prefix
        url = found if isinstance(found, ExternalUrl) else external_url(found)
        return f"{url.scheme}://{url.authority}{url.path}"

    def _value(self, name: str) -> Any:
        parameter = name.replace(".", "_").replace("-", "_")
        for values in (self._own, self._group.params, self._file):
            if values.get(parameter):
                return values[parameter]
        return None
