"""Where the configuration of an installed agent is, for a check without arguments."""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_FILE = "agent.yml"
_KEYS = ("agent.key", "host.key")  # which a unit gives to the agent, so no setting names them
_OF_SYSTEM = "etc/pombo"
_VARIABLES = "etc/default/pombo-agent"  # what the unit of the system reads

#: What says that the settings are given, so that none are looked for.
_FLAGS = ("--config.file", "--server", "--help", "--version")
_OF_FLAGS = ("POMBO_CONFIG_FILE", "POMBO_SERVER")


class Configuration(NamedTuple):
    """What an installed agent is started with: flags, variables, and the files they are from."""

    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}
    files: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files)


def find(arguments: Sequence[str], variables: Mapping[str, str], root: str = "/") -> Configuration:
    """Return the configuration of the agent on this host, where arguments and variables give none.

    ``root`` is what /etc is in. A file that exists and cannot be read is returned, too.
    """
    given = any(each.partition("=")[0] in _FLAGS for each in arguments)
    if given or any(name in variables for name in _OF_FLAGS):
        return Configuration()
    own, of_system = _folders(variables, root)
    return _in_folder(own, "", variables) or _in_folder(
        of_system, os.path.join(root, _VARIABLES), variables
    )


def places(variables: Mapping[str, str], root: str = "/") -> list[str]:
    """Return where ``find`` looks."""
    files = [os.path.join(folder, _FILE) for folder in _folders(variables, root)]
    return [*files, os.path.join(root, _VARIABLES)]


def _folders(variables: Mapping[str, str], root: str) -> tuple[str, str]:
    """Return the folders of configurations: that of the user's own agent, and the system's."""
    own = variables.get("XDG_CONFIG_HOME") or f"{variables.get('HOME', '')}/.config"
    return f"{own}/pombo", os.path.join(root, _OF_SYSTEM)


def _in_folder(folder: str, unit: str, variables: Mapping[str, str]) -> Configuration:
    """Return the configuration in a folder, and in the file of variables of its unit, if any."""
    of_unit: dict[str, str] = {}
    files: list[str] = []
    if os.path.isfile(unit):
        files.append(unit)
        of_unit = _variables_in(unit)
    arguments: list[str] = []
    config = f"{folder}/{_FILE}"
    if "POMBO_CONFIG_FILE" not in of_unit and os.path.isfile(config):
        files.append(config)
        arguments.append(f"--config.file={config}")
    if not files:
        return Configuration()
    key = next((f"{folder}/{name}" for name in _KEYS if os.path.isfile(f"{folder}/{name}")), "")
    if key and "POMBO_KEY_FILE" not in {**of_unit, **variables} and not _names_key(config):
        arguments.append(f"--key-file={key}")
    return Configuration((*arguments,), of_unit, (*files,))


def _names_key(config: str) -> bool:
    """Return whether a configuration file names a key file itself."""
    try:
        with open(config, encoding="utf-8") as file:
            return any(line.startswith("key-file:") for line in file)
    except (OSError, UnicodeError):
        return False


def _variables_in(path: str) -> dict[str, str]:
    """Return the variables of Pombo in a file that systemd reads; none where it cannot be read."""
    found: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeError):
        return found
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and name.startswith("POMBO_"):
            try:
                found[name] = " ".join(shlex.split(value)) if value[:1] in "'\"" else value
            except ValueError:
                found[name] = value
    return found
