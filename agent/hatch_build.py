"""Pins Pombo's other packages to the version of this one, since they are released together."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SameVersion(BuildHookInterface[Any]):
    """Adds a requirement to the metadata of wheels and source distributions."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Require the same version of each package of ours that is a dependency."""
        own = [name for name in self.metadata.core.dependencies if name.startswith("pombo-")]
        build_data["dependencies"] += [f"{name}=={self.metadata.version}" for name in own]
