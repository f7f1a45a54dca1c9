"""The configuration file: flags by their names, and errors that name the line and a remedy."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from pombo_cli.config import config_flag
from pombo_cli.flags import Duration, flag, split_variable, switch


class Pair(click.ParamType[str]):
    name = "name=value"
    is_pair = True

    def split_envvar_value(self, rv: str) -> list[str]:
        return split_variable(rv)


def of_five_letters(_ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and len(value) > 5:
        raise click.BadParameter("write at most 5 letters", param=param)
    return value


def called(*arguments: str, **variables: str) -> tuple[dict[str, Any], Result]:
    """Return what the flags are for a command, and its result."""
    given: dict[str, Any] = {}

    @click.command()
    @config_flag("/etc/pombo/test.yml")
    @flag("wait", type=Duration(0.1, 60), default="5s")
    @flag("name", callback=of_five_letters)
    @flag("pair", type=Pair(), multiple=True)
    @flag("to.server", multiple=True)
    @switch("collector.cpu", default=None)
    @flag("once", is_flag=True)
    @click.option("--new.name", "--old-name", "renamed", default="")
    @flag("level", type=click.Choice(["info", "warn"]), default="info")
    @click.version_option("1")
    def command(**values: Any) -> None:
        given.update(values)

    return given, CliRunner().invoke(command, arguments, env=variables)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pombo.yml"


def from_file(path: Path, text: str, *arguments: str, **variables: str) -> dict[str, Any]:
    path.write_text(text, encoding="utf-8")
    given, result = called(f"--config.file={path}", *arguments, **variables)
    assert result.exit_code == 0, result.output
    return given


def error(path: Path, text: str | bytes) -> str:
    """Return the error about a file, after its path."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    given, result = called(f"--config.file={path}")
    assert (given, result.exit_code) == ({}, 2), result.output
    _, found, rest = result.stderr.partition(f"Error: {path}")
    assert found
    return rest.strip()


DEFAULTS = called()[0]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("", {}),
        ("# nothing\n---\n", {}),
        ("wait: 10s", {"wait": 10.0}),
        ("name: 007", {"name": "007"}),
        ("name: no", {"name": "no"}),
        ("name: ''", {"name": ""}),
        ("pair: {rack: 7, off: on}", {"pair": ("rack=7", "off=on")}),
        ("pair: [rack=7, room=a b]", {"pair": ("rack=7", "room=a b")}),
        ("pair: rack=7 x=8", {"pair": ("rack=7 x=8",)}),
        ("pair: {}", {}),
        ("to.server:\n- a:1\n- '[::1]:2'\n", {"to_server": ("a:1", "[::1]:2")}),
        ("to.server: a", {"to_server": ("a",)}),
        ("collector.cpu: false", {"collector_cpu": False}),
        ("collector.cpu: On", {"collector_cpu": True}),
        ("once: true\nlevel: warn", {"once": True, "level": "warn"}),
        ("old-name: x", {"renamed": "x"}),
        ("new.name: x", {"renamed": "x"}),
        ('{"wait": "1m"}', {"wait": 60.0}),
    ],
)
def test_keys_are_the_names_of_flags(path: Path, text: str, changes: dict[str, Any]) -> None:
    assert from_file(path, text) == {**DEFAULTS, **changes}


def test_flags_and_variables_override_the_file(path: Path) -> None:
    text = "wait: 10s\ncollector.cpu: false\nto.server: [a, b]\nonce: true\npair: {a: 1}"
    assert from_file(path, text, "--wait=20s")["wait"] == 20
    assert from_file(path, text, POMBO_WAIT="30s")["wait"] == 30
    assert from_file(path, text, "--collector.cpu")["collector_cpu"] is True
    assert from_file(path, text, POMBO_COLLECTOR_CPU="1")["collector_cpu"] is True
    assert from_file(path, text, POMBO_ONCE="false")["once"] is False
    assert from_file(path, text, "--to.server=c")["to_server"] == ("c",)
    assert from_file(path, text, POMBO_PAIR="b=2 c=3")["pair"] == ("b=2", "c=3")


def test_variable_names_the_file(path: Path) -> None:
    path.write_text("wait: 10s", encoding="utf-8")
    assert called(POMBO_CONFIG_FILE=str(path))[0]["wait"] == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", ":1: unknown key 'a': keys are the names of flags, which --help lists"),
        ("wait: 5s\n\nnmae: pi", ":3: unknown key 'nmae': the nearest key is name"),
        ("to_server: a", ":1: unknown key 'to_server': the nearest key is to.server"),
        ("--wait: 5s", ":1: unknown key '--wait': the nearest key is wait"),
        ("no-collector.cpu: true", ":1: unknown key 'no-collector.cpu': write collector.cpu: fal"),
        ("collector: {cpu: 1}", ":1: unknown key 'collector': the nearest key is collector.cpu"),
        ("config.file: x", ":1: unknown key 'config.file'"),
        ("help: true", ":1: unknown key 'help'"),
        ("version: true", ":1: unknown key 'version'"),
        ("7: 8", ":1: unknown key '7'"),
        ("[wait]: 8", ":1: a key is not text: write a name before the colon"),
        ("wait: 1s\nwait: 2s", ":2: wait is already in line 1: remove one of them"),
        ("old-name: a\nnew.name: b", ":2: new.name is already in line 1: remove one of them"),
        ("wait: 5", ":1: wait: '5' is not a duration: write it as 500ms, 5s, 1m or 1h30m"),
        ("wait: 1h", ":1: wait: '1h' is not from 0.1s to 60s"),
        ("\nwait:", ":2: wait has no value: write one, or remove the key"),
        ("name: 2026-01-02", ":1: name: write at most 5 letters"),
        ("wait: [5s]", ":1: wait: a list is not a value for this key: write one text"),
        ("name: {a: b}", ":1: name: a mapping is not a value for this key: write one text"),
        ("level: loud", ":1: level: 'loud' is not one of 'info', 'warn'"),
        (
            "to.server: {a: b}",
            ":1: to.server: a mapping is not a value for this key: write one text",
        ),
        ("to.server:\n- a\n- [b]", ":3: to.server: a list is not a value for this key"),
        ("to.server: [a, null]", ":1: to.server has no value"),
        ("pair:\n  a: {b: c}", ":2: pair: a mapping is not a value"),
        (
            "collector.cpu: 'false'",
            ":1: collector.cpu: 'false' is not a switch: write true or false",
        ),
        ("collector.cpu: 0", ":1: collector.cpu: '0' is not a switch: write true or false"),
        ("once: [true]", ":1: once: a list is not a value"),
        ("name: !!python/name:os.system", ":1: name: remove the tag tag:yaml.org,2002:python"),
        ("name: !secret x", ":1: name: remove the tag !secret"),
        ("- wait: 5s", ":1: the file is not a mapping: write `name: value`"),
        ("wait 5s", ":1: the file is not a mapping"),
        ("wait: 5s\n  name: x", ":2: is not YAML: mapping values are not allowed here"),
        ("wait: 'a", ":1: is not YAML: found unexpected end of stream"),
        ("wait: 5s\n---\nwait: 6s", ":2: is not YAML: found another document"),
        ("wait: *x", ":1: is not YAML: found undefined alias 'x'"),
        (
            "wait: 5s\n\tname: x",
            ":2: is not YAML: found character '\\t' that cannot start any token",
        ),
        ("\n\x01", ":2: is not YAML: special characters are not allowed"),
        (b"wait: 5s\nname: caf\xe9", ":2: the file is not UTF-8: save it as UTF-8"),
        ("[" * 5000, ": is not a configuration: it is nested too deeply"),
    ],
)
def test_error_names_the_line_the_key_and_a_remedy(
    path: Path, text: str | bytes, message: str
) -> None:
    assert error(path, text).startswith(message)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent.yml", "No such file or directory"), (".", "Is a directory"), ("\0", "null byte")],
)
def test_file_that_cannot_be_read_is_named_with_a_remedy(
    tmp_path: Path, name: str, reason: str
) -> None:
    given, result = called(f"--config.file={tmp_path}/{name}")
    assert (given, result.exit_code) == ({}, 2)
    assert reason in result.stderr
    assert "name a file that this user may read with --config.file" in result.stderr


def test_help_names_the_flag_and_where_the_file_is() -> None:
    _, result = called("--help")
    assert "--config.file FILE" in result.output
    assert "/etc/pombo/test.yml" in result.output
    assert "POMBO_CONFIG_FILE" in result.output
