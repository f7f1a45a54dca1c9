"""Where a check without arguments finds the settings of the agent on this host."""

from pathlib import Path

import pytest
from pombo_agent.check.configuration import Configuration, find, places


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root without any configuration."""
    for folder in ("etc/pombo", "etc/default", "home/.config/pombo"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def found(root: Path, *arguments: str, **variables: str) -> Configuration:
    return find(arguments, {"HOME": str(root / "home"), **variables}, str(root))


def write(path: Path, text: str = "server: a\n") -> str:
    path.write_text(text, "utf-8")
    return str(path)


def test_nothing_is_found_where_nothing_is(root: Path) -> None:
    assert not found(root)
    assert places({"HOME": "/home/x"}) == [
        "/home/x/.config/pombo/agent.yml",
        "/etc/pombo/agent.yml",
        "/etc/default/pombo-agent",
    ]
    assert places({"XDG_CONFIG_HOME": "/x"})[0] == "/x/pombo/agent.yml"


def test_file_of_the_system_is_found(root: Path) -> None:
    path = write(root / "etc/pombo/agent.yml")
    assert found(root) == Configuration((f"--config.file={path}",), {}, (path,))


def test_file_of_the_user_comes_first(root: Path) -> None:
    write(root / "etc/pombo/agent.yml")
    write(root / "etc/default/pombo-agent", "POMBO_INTERVAL=7s\n")
    path = write(root / "home/.config/pombo/agent.yml")
    assert found(root) == Configuration((f"--config.file={path}",), {}, (path,))


@pytest.mark.parametrize(
    "argument", ["--server=b", "--server", "--config.file=x", "--help", "--version"]
)
def test_nothing_is_looked_for_where_settings_are_given(root: Path, argument: str) -> None:
    write(root / "etc/pombo/agent.yml")
    assert not found(root, argument)
    assert found(root, "--probes=20")


@pytest.mark.parametrize("variable", ["POMBO_SERVER", "POMBO_CONFIG_FILE"])
def test_nothing_is_looked_for_where_a_variable_gives_settings(root: Path, variable: str) -> None:
    write(root / "etc/pombo/agent.yml")
    assert not found(root, **{variable: "x"})


@pytest.mark.parametrize("name", ["agent.key", "host.key"])
def test_key_that_a_unit_gives_to_the_agent_is_used(root: Path, name: str) -> None:
    path = write(root / "etc/pombo/agent.yml")
    key = write(root / "etc/pombo" / name, "x")
    assert found(root).arguments == (f"--config.file={path}", f"--key-file={key}")
    assert found(root, POMBO_KEY_FILE="y").arguments == (f"--config.file={path}",)
    write(root / "etc/pombo/agent.yml", "server: a\nkey-file: z\n")
    assert found(root).arguments == (f"--config.file={path}",)


def test_variables_of_the_unit_are_read(root: Path) -> None:
    config = write(root / "etc/pombo/agent.yml")
    path = write(
        root / "etc/default/pombo-agent",
        "# comment\nPOMBO_SERVER=a b\nPOMBO_NAME='web 1'\nOTHER=x\nPOMBO_LABEL=\"a=b\n\nbroken\n",
    )
    expected = {"POMBO_SERVER": "a b", "POMBO_NAME": "web 1", "POMBO_LABEL": '"a=b'}
    assert found(root) == Configuration((f"--config.file={config}",), expected, (path, config))
    write(root / "etc/default/pombo-agent", "POMBO_CONFIG_FILE=/x.yml\n")
    assert found(root).arguments == ()
    assert found(root).variables == {"POMBO_CONFIG_FILE": "/x.yml"}
