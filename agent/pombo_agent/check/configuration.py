"""Where the configuration of an installed agent is, for a check without arguments."""

import os
from collections.abc import Mapping, Sequence

_FILE = "pombo/agent.yml"

#: What says that the settings are given, so that none are looked for.
_FLAGS = ("--config.file", "--server", "--help", "--version")
_VARIABLES = ("POMBO_CONFIG_FILE", "POMBO_SERVER")


def find(arguments: Sequence[str], variables: Mapping[str, str], root: str = "/") -> str:
    """Return the configuration file of the agent on this host; empty where there is none.

    It is also empty where the arguments or the variables have settings. A file that exists and
    cannot be read is returned, too. ``root`` is what /etc is in.
    """
    given = any(each.partition("=")[0] in _FLAGS for each in arguments)
    if given or any(name in variables for name in _VARIABLES):
        return ""
    return next((path for path in places(variables, root) if os.path.isfile(path)), "")


def places(variables: Mapping[str, str], root: str = "/") -> list[str]:
    """Return where ``find`` looks: the file of the user's own agent, and that of the system's."""
    own = variables.get("XDG_CONFIG_HOME") or f"{variables.get('HOME', '')}/.config"
    return [os.path.join(own, _FILE), os.path.join(root, "etc", _FILE)]
