"""Images of both programs, by Docker or podman."""

import os
import shutil
import sys
from pathlib import Path

from distribution.project import ROOT, run, version

_ENGINES = ("docker", "podman")


def make(_: Path) -> None:
    """Build ``pombo-agent`` and ``pombo-exporter``, with the version and ``latest`` as tags.

    ``CONTAINER_ENGINE`` says which program builds; otherwise the first that is installed.
    """
    wanted = os.environ.get("CONTAINER_ENGINE")
    engine = next(filter(shutil.which, [wanted] if wanted else _ENGINES), None)
    if engine is None:
        sys.exit(f"distribution: no {wanted or ' or '.join(_ENGINES)} on PATH to build images with")
    for program in ("agent", "exporter"):
        tags = [f"--tag=pombo-{program}:{tag}" for tag in (version(), "latest")]
        run([engine, "build", f"--file={ROOT / program / 'Dockerfile'}", *tags, str(ROOT)])
