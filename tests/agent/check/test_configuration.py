"""Where a check without arguments finds the settings of the agent on this host."""

from pathlib import Path

import pytest
from pombo_agent.check.configuration import find, places


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root without any configuration."""
    for folder in ("etc/pombo", "home/.config/pombo"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def found(root: Path, *arguments: str, **variables: str) -> str:
    return find(arguments, {"HOME": str(root / "home"), **variables}, str(root))


def write(path: Path) -> str:
    path.write_text("server: a\n", "utf-8")
    return str(path)


def test_nothing_is_found_where_nothing_is(root: Path) -> None:
    assert found(root) == ""
    expected = ["/home/x/.config/pombo/agent.yml", "/etc/pombo/agent.yml"]
    assert places({"HOME": "/home/x"}) == expected
    assert places({"XDG_CONFIG_HOME": "/x"})[0] == "/x/pombo/agent.yml"


def test_file_of_the_system_is_found(root: Path) -> None:
    assert found(root) == ""
    path = write(root / "etc/pombo/agent.yml")
    assert found(root) == found(root, "--probes=20") == path


def test_file_of_the_user_comes_first(root: Path) -> None:
    write(root / "etc/pombo/agent.yml")
    path = write(root / "home/.config/pombo/agent.yml")
    assert found(root) == path


@pytest.mark.parametrize(
    "argument", ["--server=b", "--server", "--config.file=x", "--help", "--version"]
)
def test_nothing_is_looked_for_where_settings_are_given(root: Path, argument: str) -> None:
    write(root / "etc/pombo/agent.yml")
    assert found(root, argument) == ""


@pytest.mark.parametrize("variable", ["POMBO_SERVER", "POMBO_CONFIG_FILE"])
def test_nothing_is_looked_for_where_a_variable_gives_settings(root: Path, variable: str) -> None:
    write(root / "etc/pombo/agent.yml")
    assert found(root, **{variable: "x"}) == ""
