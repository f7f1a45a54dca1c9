"""Start, loop and stop of ``pombo-agent``."""

import logging
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence

import click
from pombo_cli import logs
from pombo_cli.logs import LimitedLogger
from pombo_wire import Report, split

from pombo_agent import __version__
from pombo_agent.collectors import COLLECTORS, Sources, usage
from pombo_agent.collectors.mount_timeout import MountCaller
from pombo_agent.options import Options, command
from pombo_agent.report import Reporter, stamped, standing_parts
from pombo_agent.schedule import ticks
from pombo_agent.transport import Sender

_BETWEEN_FAREWELLS_SECONDS = 0.005
_BETWEEN_WARNINGS_SECONDS = 600.0  # of the same key

_log = logging.getLogger("pombo_agent")


def _run(options: Options) -> None:
    header = Report(options.name, session=time.time_ns(), seq=0, interval=options.interval)
    standing = standing_parts(options.labels)
    _, left_out = split(stamped(header), standing)
    if left_out:
        raise click.UsageError(f"name or labels are too long for one datagram: {left_out[0]}")
    logs.set_up(options.log_level, options.log_format)

    limited = LimitedLogger(_log, _BETWEEN_WARNINGS_SECONDS)
    sources = Sources(
        options.procfs,
        options.sysfs,
        options.rootfs,
        options.filters,
        MountCaller(usage, limited),
    )
    collectors = {name: COLLECTORS[name] for name in options.collectors}
    reporter = Reporter(header, standing, collectors, sources, limited)
    if options.once:
        _print(reporter.datagrams(), options.format)
        return
    wait = _until_signal()
    senders = [Sender(server, limited, time.monotonic) for server in options.servers]
    servers = " ".join(map(str, options.servers))
    started = {"version": __version__, "name": options.name, "servers": servers}
    _log.info("agent started", extra={"fields": started})

    for _ in ticks(options.interval, time.monotonic, wait):
        datagrams = reporter.datagrams()
        for sender in senders:
            sender.send(datagrams)

    for farewell in reporter.farewell():
        for sender in senders:
            sender.send([farewell])
        time.sleep(_BETWEEN_FAREWELLS_SECONDS)
    for sender in senders:
        sender.close()
    _log.info("agent stopped")


def _print(datagrams: Sequence[bytes], how: str) -> None:
    if how == "json":
        sys.stdout.write("".join(f"{datagram.decode()}\n" for datagram in datagrams))
    else:
        import shutil  # noqa: PLC0415 - neither is a part of an agent that stays

        from pombo_agent import text_report  # noqa: PLC0415

        width = shutil.get_terminal_size((100, 0)).columns
        sys.stdout.write(text_report.text(datagrams, width))


def _until_signal() -> Callable[[float], bool]:
    """Return a function that waits for some seconds, or less once told to stop: then it is true."""
    woken, wakes = socket.socketpair()
    wakes.settimeout(0)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait(seconds: float) -> bool:
        assert wakes.fileno() >= 0  # kept open as long as this function
        return bool(select.select([woken], [], [], seconds)[0])

    return wait


main = command(_run)

if __name__ == "__main__":
    main()
