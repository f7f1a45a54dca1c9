"""Datagrams of a fleet in files, so that a measurement only has to send them.

Packing a report takes longer than sending it. So all reports of a measurement are packed before it
begins, by a process on each core, host by host. The files are mapped into memory when they are
sent, and only the kernel's cache has them as a whole.
"""

import mmap
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.harness.fleet import INTERVAL, Sender

#: One datagram: the number of its report and of its host, which of the report's datagrams it is,
#: and where it is in its file.
_ENTRY = np.dtype(
    [("report", "i4"), ("host", "i4"), ("part", "i2"), ("length", "i2"), ("offset", "i8")]
)
_AT_ONCE = 4096  # entries


@dataclass(frozen=True)
class Prepared:
    """The first ``reports`` reports of each of ``hosts`` hosts, in the files of a folder.

    ``kind`` is a ``Kind`` or the name of a shape, ``interval`` between two reports, in seconds.
    """

    folder: Path
    kind: str
    hosts: int
    reports: int
    datagrams: int
    interval: float = INTERVAL


def write(hosts: Iterable[Sender], reports: int, folder: Path, name: str) -> int:
    """Write the first reports of some hosts to files of that name; return how many datagrams."""
    index: list[np.ndarray] = []
    entries: list[tuple[int, int, int, int, int]] = []
    offset = count = 0
    with (folder / f"{name}.datagrams").open("wb") as file:
        for sender in hosts:
            for report in range(reports):
                for part, datagram in enumerate(sender.datagrams(report)):
                    file.write(datagram)
                    entries.append((report, sender.number, part, len(datagram), offset))
                    offset += len(datagram)
                    count += 1
            if len(entries) > _AT_ONCE:
                index.append(np.array(entries, _ENTRY))
                entries.clear()
        file.flush()
        os.fsync(file.fileno())  # so that the disk has nothing to do while they are sent
    index.append(np.array(entries, _ENTRY))
    np.save(folder / f"{name}.npy", np.concatenate(index))
    return count


class Datagrams:
    """The datagrams in a folder, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        indexes, self._maps = [], []
        for number, path in enumerate(sorted(folder.glob("*.npy"))):
            entries = np.load(path)
            indexes.append((np.full(len(entries), number, "i2"), entries))
            with path.with_suffix(".datagrams").open("rb") as file:
                self._maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self._file = np.concatenate([number for number, _ in indexes])
        self._entries = np.concatenate([entries for _, entries in indexes])

    def of(self, hosts: int, reports: range) -> "Order":
        """Return those of the first ``hosts`` hosts and some reports."""
        entries = self._entries
        chosen = np.flatnonzero(
            (entries["host"] < hosts)
            & (entries["report"] >= reports.start)
            & (entries["report"] < reports.stop)
        )
        chosen = chosen[
            np.lexsort(
                (entries["part"][chosen], entries["host"][chosen], entries["report"][chosen])
            )
        ]
        return Order(self._maps, self._file[chosen], entries[chosen])


class Order:
    """Datagrams in the order in which they are sent; ``len`` is their number.

    The first reports of all hosts come first. The datagrams of one report follow each other.
    """

    def __init__(self, maps: list[mmap.mmap], file: np.ndarray, entries: np.ndarray) -> None:
        self._maps, self._file, self._entries = maps, file, entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def reports(self) -> int:
        """How many reports the datagrams are of."""
        return int(np.count_nonzero(self._entries["part"] == 0))

    def __iter__(self) -> Iterator[tuple[bytes, bool]]:
        """Yield each datagram, and whether it is the first one of its report."""
        for start in range(0, len(self), _AT_ONCE):
            some = self._entries[start : start + _AT_ONCE]
            yield from (
                (self._maps[file][offset : offset + length], not part)
                for file, offset, length, part in zip(
                    self._file[start : start + _AT_ONCE].tolist(),
                    some["offset"].tolist(),
                    some["length"].tolist(),
                    some["part"].tolist(),
                    strict=True,
                )
            )


@contextmanager
def prepared(kind: str, hosts: int, reports: int, interval: float = INTERVAL) -> Iterator[Prepared]:
    """Pack the first reports of each host of a fleet, by a process on each core."""
    # Imported here, since the programs that it starts import this module.
    from bench.harness.processes import Process  # noqa: PLC0415

    cores = [0, 1] if hosts > 1 else [0]
    with tempfile.TemporaryDirectory(prefix="pombo-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        flags = (f"--fleet={kind}", f"--reports={reports}", f"--interval={interval}")
        packers = [
            stack.enter_context(
                Process(
                    sys.executable,
                    *("-m", "bench.programs.prepare", *flags, f"--folder={folder}"),
                    f"--first-host={hosts * core // len(cores)}",
                    f"--end={hosts * (core + 1) // len(cores)}",
                    core=core,
                )
            )
            for core in cores
        ]
        count = sum(int(packer.result(_DEADLINE)["datagrams"]) for packer in packers)
        yield Prepared(folder, kind, hosts, reports, count, interval)


_DEADLINE = 3600.0  # seconds
