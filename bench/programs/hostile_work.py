"""The work whose instructions are bounded: the costly datagrams of one family, one after another.

``python -m bench.programs.hostile_work FAMILY`` marks the last datagram of each attack, in the
order of ``COSTLY``; what is between two of them is marked too.
"""

import gc
import os
import sys
from contextlib import redirect_stderr
from pathlib import Path

from pombo_cli import logs
from pombo_exporter.runtime.gc_tuning import HostFreezer

from bench.fleets.hostile import COSTLY, FAMILIES, Attack
from bench.harness.callgrind import mark
from bench.harness.in_process import AttackedExporter

_WARM = 4  # rounds: Python specializes bytecode that has run some times


def run(attack: Attack) -> None:
    """Take an attack, and mark the last datagram of its last round."""
    exporter = AttackedExporter(HostFreezer())
    for datagram in attack.prepared:
        exporter.take(datagram)
    for number in range(_WARM + 1):
        *before, last = attack.round(number)
        for datagram in before:
            exporter.take(datagram)
        if number == _WARM:
            gc.collect()
            mark()
        exporter.take(last)
    mark()


def main() -> None:
    """Take all costly attacks of a family."""
    [name] = sys.argv[1:]
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        with redirect_stderr(nothing):
            logs.set_up("info", "logfmt")
        for params in COSTLY[name]:
            run(FAMILIES[name].attack(params))


if __name__ == "__main__":
    main()
