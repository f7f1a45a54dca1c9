"""Reads the state file at the start, and writes it every half minute and at the end.

A new file is written beside the old one and takes its place when all of it is on the disk, so the
file is whole at every moment. Nothing waits for the disk: a thread writes.
"""

import asyncio
import logging
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from errno import EAGAIN, EINVAL
from pathlib import Path
from time import monotonic
from typing import Final

from pombo_cli.logs import LimitedLogger

from pombo_exporter.hosts.limits import AdmissionError
from pombo_exporter.hosts.roster import Roster
from pombo_exporter.runtime.pacing import Pacer, StepClock
from pombo_exporter.state.lines import (
    HEADER,
    StateFileError,
    encoded,
    read_header,
    read_records,
)

log = logging.getLogger(__name__)

_FIRST_AFTER: Final = 5.0  # seconds from the start: a file that cannot be written shows at once
_WRITE_INTERVAL: Final = 30.0  # seconds
_LAST_SECONDS: Final = 1.0  # for the last writing
_LOG_INTERVAL: Final = 60.0  # seconds between two lines of failed writings

#: Lines that are read for each host that the exporter may have; those beyond are left.
_LINES_PER_HOST: Final = 2


class StateFile:
    """A state file, and how often it could not be read or written.

    ``load_errors`` counts a file that could not be used, and each line that could not.
    ``written_at`` is when the file that was loaded was written, as Unix time in seconds.
    """

    def __init__(self, path: Path, roster: Roster) -> None:
        self._path, self._roster = path, roster
        self._log = LimitedLogger(log, _LOG_INTERVAL)
        self._is_kept = False
        self._thread: threading.Thread | None = None
        self.load_errors = 0
        self.write_errors = 0
        self.written_at = 0.0

    def load(self) -> None:
        """Add the hosts of the file to the roster.

        A file that cannot be used is set aside, with ``.broken`` at the end of its name.
        """
        fields: dict[str, object] = {"file": self._path}
        try:
            restored, invalid, left = self._load()
        except FileNotFoundError:
            self.load_errors += 1
            log.warning("no state file yet: the exporter knows no hosts", extra={"fields": fields})
            return
        except (OSError, StateFileError) as error:
            self.load_errors += 1
            fields |= {"error": error}
            log.error("state file not used", extra={"fields": fields})  # noqa: TRY400
            if self._path.is_file():
                with suppress(OSError):
                    self._path.replace(f"{self._path}.broken")
            return
        self.load_errors += invalid
        fields["hosts"] = restored
        if invalid:
            fields["invalid_lines"] = invalid
        if left:
            fields["left_out"] = left
        level = logging.WARNING if invalid or left else logging.INFO
        log.log(level, "state file read", extra={"fields": fields})

    def _load(self) -> tuple[int, int, str]:
        """Return how many hosts were restored, how many lines are invalid, and what was left out.

        Raises:
            OSError, StateFileError: when the file cannot be used; nothing was restored then.
        """
        restored = invalid = 0
        # A named pipe would let the exporter wait.
        number = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(number, "rb") as file:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise StateFileError("it is not a regular file")
            self.written_at = status.st_mtime
            read_header(file)
            most = _LINES_PER_HOST * self._roster.limits.hosts
            try:
                for record in read_records(file, most):
                    if record and self._roster.restore(record, monotonic()):
                        restored += 1
                    else:
                        invalid += 1
            except OSError as error:
                return restored, invalid + 1, str(error)
            except AdmissionError as error:
                return restored, invalid, str(error)
            left = "lines beyond the limit" if file.read(1) else ""
        return restored, invalid, left

    async def keep(self, pacer: Pacer) -> None:
        """Write the file now and then, until this is cancelled."""
        self._is_kept = True
        await asyncio.sleep(_FIRST_AFTER)
        while True:
            await self._write(pacer)
            await asyncio.sleep(_WRITE_INTERVAL)

    async def finish(self, pacer: Pacer) -> None:
        """Write the file a last time, if the exporter ever came so far that it was kept."""
        if not self._is_kept:
            return
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._write(pacer)
        except TimeoutError:
            log.warning("exporter stops before the state file is written: the disk is slow")

    async def _write(self, pacer: Pacer) -> None:
        """Write the file; a failure is counted and logged."""
        chunks = [HEADER, *await pacer.collect(self._chunks)]
        try:
            await self._replace(chunks)
        except OSError as error:
            self.write_errors += 1
            self._log.warning(
                "cannot write the state file", key="write", file=self._path, error=error
            )

    async def _replace(self, chunks: Sequence[bytes]) -> None:
        """Replace the file in a thread, for which the end of the process does not wait.

        Raises:
            OSError: when that fails, or no thread can be started.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        before = self._thread

        def end(error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def write() -> None:
            if before is not None:
                before.join()  # it goes on where its task was cancelled
            error = None
            try:
                replace_file(self._path, chunks)
            except BaseException as raised:  # noqa: BLE001 - it is raised where the loop runs
                error = raised
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(end, error)

        thread = threading.Thread(target=write, name="state file", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # too many threads, or no memory for its stack
            raise OSError(EAGAIN, str(error)) from None
        self._thread = thread
        await done

    def _chunks(self, steps: StepClock) -> Iterator[bytes | None]:
        records = self._roster.remembered()
        if steps.step_is_over:
            yield None
        lines = []
        for record in records:
            lines.append(encoded(record))
            if steps.step_is_over:
                yield b"".join(lines)
                lines = []
        yield b"".join(lines)


def replace_file(path: Path, chunks: Sequence[bytes]) -> None:
    """Write a file that only its owner may read and write, beside an old one, and replace that.

    Raises:
        OSError: when that fails; the old file is unchanged, and nothing is left beside it.
    """
    if path.exists() and not path.is_file():  # a device, for instance
        raise OSError(EINVAL, "it is not a regular file")
    beside = Path(f"{path}.new")
    beside.unlink(missing_ok=True)  # of an exporter that was killed while it wrote
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(number, "wb", buffering=0) as file:
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[file.write(rest) :]
            os.fsync(number)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Let the new name outlive a loss of power, where the system can do that."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
