"""An agent whose boot clock a file sets ahead, since no test can suspend the machine.

``python -m support.suspended_agent FILE FLAGS…``: the file has the seconds for which the system was
suspended so far. All else is the agent as it is.
"""

import sys
from pathlib import Path

from pombo_agent import loop, options
from pombo_agent.suspension import boot_clock


def main(path: Path, flags: list[str]) -> None:
    """Run the agent until a signal."""

    def boot() -> float:
        return boot_clock() + float(path.read_text())

    options.command(lambda given: loop.run(given, boot))(flags)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
