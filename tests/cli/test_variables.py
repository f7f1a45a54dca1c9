"""Warnings about environment variables that no flag reads."""

import fnmatch
import logging
from fnmatch import fnmatchcase

import click
import pytest
from click.testing import CliRunner
from pombo_agent.options import command as agent_command
from pombo_cli.variables import COMMANDS, unknown, variables_of, warn_of_unknown
from pombo_exporter.options import command as exporter_command

AGENT = agent_command(lambda _: None)
EXPORTER = exporter_command(lambda _: None)


@pytest.mark.parametrize("command", [AGENT, EXPORTER])
def test_variables_of_each_command_are_known_to_the_other_one(command: click.Command) -> None:
    names = {name.removeprefix("POMBO_") for name in variables_of(command)}
    patterns = COMMANDS[command.name or ""]
    assert [name for name in names if not any(fnmatchcase(name, each) for each in patterns)] == []
    assert [each for each in patterns if not fnmatch.filter(names, each)] == []
    for other in (AGENT, EXPORTER):
        assert [*unknown(other, variables_of(command))] == []


@pytest.mark.parametrize(
    ("command", "name", "nearest"),
    [
        (AGENT, "POMBO_SERVR", "POMBO_SERVER"),
        (AGENT, "POMBO_LABELS", "POMBO_LABEL"),
        (AGENT, "POMBO_COLLECTOR_MEMINF", "POMBO_COLLECTOR_MEMINFO"),
        (AGENT, "POMBO_COLLECTOR_DISABLE_DEFAULT", "POMBO_COLLECTOR_DISABLE_DEFAULTS"),
        (AGENT, "POMBO_WEB_LISTEN_ADRESS", ""),
        (AGENT, "POMBO_ZZZ", ""),
        (AGENT, "POMBO_", ""),
        (EXPORTER, "POMBO_WEB_LISTEN_ADRESS", "POMBO_WEB_LISTEN_ADDRESS"),
        (EXPORTER, "POMBO_WEB_NODE_FAMILIES", "POMBO_WEB_FAMILIES"),
        (EXPORTER, "POMBO_TOP_SORTS", "POMBO_TOP_SORT"),
        (EXPORTER, "POMBO_DECODE_FORMATS", "POMBO_DECODE_FORMAT"),
        (EXPORTER, "POMBO_SERVR", ""),
    ],
)
def test_unknown_variable_is_found_with_the_nearest_of_the_command(
    command: click.Command, name: str, nearest: str
) -> None:
    others = ["PATH", "POMBO", "pombo_servr", "MY_POMBO_SERVR", "POMBO_LOG_LEVEL"]
    assert [*unknown(command, [*others, name])] == [(name, nearest)]


@pytest.mark.parametrize("command", [AGENT, EXPORTER])
@pytest.mark.parametrize(
    "name",
    [
        "POMBO_PROMETHEUS_URL",
        "POMBO_SERVICE_HOST",
        "POMBO_SERVICE_PORT",
        "POMBO_SERVICE_PORT_UDP",
        "POMBO_PORT",
        "POMBO_PORT_5005_UDP",
        "POMBO_PORT_5005_TCP_ADDR",
        "POMBO_EXPORTER_SERVICE_HOST",
        "POMBO_EXPORTER_PORT_5005_UDP_PROTO",
    ],
)
def test_variable_of_another_program_is_not_unknown(command: click.Command, name: str) -> None:
    assert [*unknown(command, [name])] == []


def test_warning_has_the_name_and_the_nearest_but_no_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    variables = {"POMBO_SERVR": "secret", "POMBO_ZZZ": "secret", "HOME": "/"}
    log = logging.getLogger("test")
    command = agent_command(lambda _: warn_of_unknown(log, variables))
    assert CliRunner().invoke(command, ["--once"]).exit_code == 0
    assert [
        (line.levelname, line.getMessage(), vars(line)["fields"]) for line in caplog.records
    ] == [
        (
            "WARNING",
            "unknown environment variable",
            {"variable": "POMBO_SERVR", "nearest": "POMBO_SERVER"},
        ),
        ("WARNING", "unknown environment variable", {"variable": "POMBO_ZZZ"}),
    ]
