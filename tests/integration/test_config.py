"""The real programs with a configuration file, and with variables that no flag has."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.pages import fetch_page, wait_until
from support.processes import BIN, Launcher, free_port

ADDRESSES = "udp.listen-address: 127.0.0.1:{port}\nweb.listen-address: 127.0.0.1:{port}\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def failed(*command: str, **variables: str) -> str:
    """Return the error of a command that ends with exit code 2."""
    ended = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **variables},
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_programs_run_with_files_and_flags_override_them(start: Launcher, tmp_path: Path) -> None:
    port = free_port()
    of_exporter = written(
        tmp_path / "exporter.yml",
        f"{ADDRESSES.format(port=port)}limit.hosts: 7\nweb.families: node\n",
    )
    # The flags of the launcher have the same addresses.
    exporter = start.exporter(f"--config.file={of_exporter}", "--limit.hosts=8", port=port)
    of_agent = written(
        tmp_path / "agent.yml",
        f"server: 127.0.0.1:{port}\nname: from file\ninterval: 200ms\n"
        "label: {rack: 07, room: no}\ncollector.cpu: false\n"
        "collector.netdev.device-include: ^lo$\n",
    )
    start.program(str(BIN / "pombo-agent"), f"--config.file={of_agent}")
    start.program(
        str(BIN / "pombo-agent"),
        "--name=from flag",
        env={
            "POMBO_CONFIG_FILE": str(of_agent),
            "POMBO_LABEL": "rack=8",
            "POMBO_COLLECTOR_CPU": "true",
        },
    )
    page = wait_until(
        exporter.page,
        lambda page: all(
            page.value("node_load1", instance=name) is not None
            for name in ("from file", "from flag")
        ),
        "both agents",
    )
    assert page.value("pombo_exporter_limits", limit="hosts") == 8
    without, with_cpu = page.measured("from file"), page.measured("from flag")
    assert with_cpu - without == {
        name for name in with_cpu if name.startswith(("node_cpu_seconds", "node_cpu_guest"))
    }
    labels = {
        dict(row)["instance"]: (dict(row)["rack"], dict(row).get("room"))
        for row in page.rows("pombo_host_info")
    }
    assert labels == {"from file": ("07", "no"), "from flag": ("8", None)}
    devices = {dict(row)["device"] for row in page.rows("node_network_receive_bytes_total")}
    assert devices == {"lo"}
    assert page.value("pombo_host_interval_seconds", instance="from flag") == pytest.approx(0.2)
    assert not [name for name, _ in page.samples if name.startswith("host_")]


def test_agent_that_runs_has_not_imported_yaml(start: Launcher, tmp_path: Path) -> None:
    exporter = start.exporter()
    path = written(tmp_path / "agent.yml", f"server: {exporter.target}\nname: pi\n")
    agent = start.program(
        str(BIN / "python"), "-X", "importtime", "-m", "pombo_agent", f"--config.file={path}"
    )
    wait_until(exporter.page, lambda page: page.value("pombo_host_up", instance="pi") == 1, "pi")
    assert agent.end() == 0
    _, first, second = re.split(r"\| +pombo_agent\.reexecute\n", agent.log)
    for name in ("yaml", "pombo_cli.config", "click", "difflib"):
        imported = re.compile(rf"\| +{re.escape(name)}\n")
        assert imported.search(first), name
        assert not imported.search(second), name
    assert re.search(r"\| +pombo_agent\.loop\n", second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: a\nintervall: 5s", ":2: unknown key 'intervall': the nearest key is interval"),
        ("server: a\nlimit.hosts: 5", ":2: unknown key 'limit.hosts'"),
        (
            "server: a\ncollector.cpuu: true",
            ":2: unknown key 'collector.cpuu': the nearest key is collector.cpu",
        ),
        (
            "server: ':5'",
            ":1: server: ':5' is not a destination: write host, host:port or https://host",
        ),
        ("label: {instance: x}", ":1: label: 'instance' is set by Pombo"),
        ("label: {a: 1}\nname: ''", ":2: name: write 1 to 253 characters"),
        (
            "collector.netdev.device-exclude: '['",
            ":1: collector.netdev.device-exclude: '[' is not a regular expression",
        ),
        ("collector.cpu: maybe", ":1: collector.cpu: 'maybe' is not a switch"),
    ],
)
def test_error_in_a_file_of_the_agent_ends_with_2_and_names_the_line(
    text: str, message: str, tmp_path: Path
) -> None:
    refused("pombo-agent", written(tmp_path / "x.yml", text), message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: a", ":1: unknown key 'server'"),
        ("limit.hosts: many", ":1: limit.hosts: 'many' is not a valid integer range"),
        ("limit.bytes: 1", ":1: limit.bytes: '1' is not from 1048576"),
        ("web.families: prom", ":1: web.families: 'prom' has 'prom', which is not a vocabulary"),
        ("web.enable-admin-api: x", ":1: web.enable-admin-api: 'x' is not a switch"),
        ("a: b: c", ":1: is not YAML: mapping values are not allowed here"),
    ],
)
def test_error_in_a_file_of_the_exporter_ends_with_2_and_names_the_line(
    text: str, message: str, tmp_path: Path
) -> None:
    refused("pombo-exporter", written(tmp_path / "x.yml", text), message)


def refused(program: str, path: Path, message: str) -> None:
    """Check the error about a file that a flag or a variable names."""
    assert f"Error: {path}{message}" in failed(program, f"--config.file={path}")
    assert f"Error: {path}{message}" in failed(program, POMBO_CONFIG_FILE=str(path))


@pytest.mark.parametrize("program", ["pombo-agent", "pombo-exporter"])
def test_file_that_is_absent_ends_with_2(program: str, tmp_path: Path) -> None:
    error = failed(program, f"--config.file={tmp_path}/absent.yml")
    assert "absent.yml: cannot be read (No such file or directory): name a file" in error


def warnings(log: str) -> list[str]:
    return re.findall(r'level=warn msg="unknown environment variable" (.*)', log)


def test_unknown_variables_are_logged_once_at_the_start(start: Launcher) -> None:
    port = free_port()
    shared = {
        "POMBO_UDP_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "POMBO_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "POMBO_SERVER": f"127.0.0.1:{port}",
        "POMBO_LABEL": "rack=7",
        "POMBO_INTERVAL": "200ms",
        "POMBO_NAME": "pi",
        "POMBO_LIMITS_HOSTS": "1",
        "POMBO_COLLECTOR_CPUU": "false",
        "POMBO_PORT_5005_UDP_PORT": "5005",
    }
    started = [
        start.program(str(BIN / program), env=shared)
        for program in ("pombo-exporter", "pombo-agent")
    ]
    url = f"http://127.0.0.1:{port}/metrics"
    wait_until(
        lambda: fetch_page(url), lambda page: page.value("pombo_host_up", instance="pi") == 1, "pi"
    )
    of_exporter, of_agent = (warnings(process.log) for process in started)
    assert of_exporter == ["variable=POMBO_LIMITS_HOSTS nearest=POMBO_LIMIT_HOSTS"]
    assert of_agent == [
        "variable=POMBO_COLLECTOR_CPUU nearest=POMBO_COLLECTOR_CPU",
        "variable=POMBO_LIMITS_HOSTS",
    ]
