"""``install.sh`` as an exporter serves it: with the checksums of its agents, and the unit.

Who runs it knows its checksum from ``enroll``, so that covers the agents as well.
"""

from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from pombo_exporter.installer.agents import Agent

NAME: Final = "install.sh"

_UNIT: Final = "pombo-agent.service"


@lru_cache(maxsize=1)
def script(agents: tuple[Agent, ...]) -> bytes:
    """Return the script that installs one of these agents."""
    lines = (f"{agent.sha256} {agent.bytes} {agent.name}" for agent in agents)
    text = _file(NAME).replace("@AGENTS@", "\n".join(lines))
    return text.replace("@UNIT@", _file(_UNIT).rstrip("\n")).encode()


def checksum(installer: bytes) -> str:
    """Return the SHA-256 of a script, as sha256sum prints it."""
    return sha256(installer).hexdigest()


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
