"""Makes what users install: ``python -m distribution [--into=FOLDER] PART…``."""

import argparse
from pathlib import Path

from distribution import deb, images, onefile, wheels
from distribution.project import ROOT

#: What can be made, in the order in which one part needs another.
PARTS = {
    "wheels": wheels.make,
    "onefile": onefile.make,
    "deb": deb.make,
    "images": images.make,
}


def main() -> None:
    """Make the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "all"])
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="default: dist")
    given = parser.parse_args()
    for part, make in PARTS.items():
        if {part, "all"} & {*given.parts}:
            make(given.into.absolute())


if __name__ == "__main__":
    main()
