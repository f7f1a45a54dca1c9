"""Writes the JSON of each dashboard to ``grafana/dashboards/``, or to a folder that is given."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.generate import exporter, fleet, host

_FOLDER = Path(__file__).parents[1] / "dashboards"
_DASHBOARDS = {"exporter": exporter.dashboard, "fleet": fleet.dashboard, "host": host.dashboard}


def main(folder: Path) -> None:
    """Write one file for each dashboard, with sorted keys, so that diffs stay small."""
    for name, build in _DASHBOARDS.items():
        text = JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False).encode(build())
        (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER)
