"""Kills parts of a cluster of exporters and stores, and prints what the stores have then.

``python -m faults.cluster [exporters] [vmagents] [stores]`` writes these rows of the table in
docs/reliability.md. With ``--short`` there are few hosts and two kills of each kind, and the rows
are only printed.
"""

import argparse
import resource
import sys
from collections.abc import Callable
from time import monotonic

from faults.cluster import table
from faults.cluster.trial import FULL, SHORT, Finding, Settings, Trial
from faults.harness.namespaces import enter_namespaces

#: What can be killed.
KINDS: dict[str, Callable[[Trial], list[Finding]]] = {
    "exporters": Trial.kill_exporters,
    "vmagents": Trial.kill_vmagents,
    "stores": Trial.kill_stores,
}


def main() -> None:
    """Run the trial that the command line names, and print its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], help="default: all")
    parser.add_argument("--short", action="store_true", help="few hosts and two kills of each kind")
    arguments = parser.parse_args()
    enter_namespaces("faults.cluster", end_together=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # sockets: three for each host
    settings = SHORT if arguments.short else FULL
    for kind in arguments.kinds or KINDS:
        found = _findings(kind, settings)
        sys.stdout.write(table.table(map(table.cells, found)))
        sys.stdout.flush()
        for finding in found:
            finding.check(settings)
        if not arguments.short:
            table.write(found, settings)


def _findings(kind: str, settings: Settings) -> list[Finding]:
    """Return what is found when services of one kind are killed, in a cluster of its own."""
    began = monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{kind}: {monotonic() - began:6.1f} s: {text}\n")

    trial = Trial(settings, say)
    try:
        found = KINDS[kind](trial)
        trial.check()
    except BaseException as error:
        for name, log in trial.logs().items():
            error.add_note(f"{name}:\n{log[-4000:]}")
        raise
    finally:
        trial.close()
    return found


if __name__ == "__main__":
    main()
