"""The command ``pombo-agent``: start, send reports, stop."""

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
from pombo_agent.report import Reporter, constant_parts, with_time
from pombo_agent.schedule import ticks
from pombo_agent.transport import Sender

_BYE_INTERVAL_SECONDS = 0.005
_WARNING_INTERVAL_SECONDS = 600.0  # between two warnings of one key

_log = logging.getLogger("pombo_agent")


def _run(options: Options) -> None:
    header = Report(options.name, session=time.time_ns(), seq=0, interval=options.interval)
    constant = constant_parts(options.labels)
    _, omitted = split(with_time(header), constant)
    if omitted:
        raise click.UsageError(f"name or labels are too long for one datagram: {omitted[0]}")
    logs.set_up(options.log_level, options.log_format)

    limited = LimitedLogger(_log, _WARNING_INTERVAL_SECONDS)
    sources = Sources(
        options.procfs,
        options.sysfs,
        options.rootfs,
        options.filters,
        MountCaller(usage, limited),
    )
    collectors = {name: COLLECTORS[name] for name in options.collectors}
    reporter = Reporter(header, constant, collectors, sources, limited)
    if options.once:
        _print(reporter.next_report(), options.format)
        return
    wait = _wait_for_signal()
    senders = [Sender(server, limited, time.monotonic) for server in options.servers]
    servers = " ".join(map(str, options.servers))
    fields = {"version": __version__, "name": options.name, "servers": servers}
    _log.info("agent started", extra={"fields": fields})

    for _ in ticks(options.interval, time.monotonic, wait):
        datagrams = reporter.next_report()
        for sender in senders:
            sender.send(datagrams)

    for bye in reporter.byes():
        for sender in senders:
            sender.send([bye])
        time.sleep(_BYE_INTERVAL_SECONDS)
    for sender in senders:
        sender.close()
    _log.info("agent stopped")


def _print(datagrams: Sequence[bytes], output_format: str) -> None:
    if output_format == "json":
        sys.stdout.write("".join(f"{datagram.decode()}\n" for datagram in datagrams))
    else:
        import shutil  # noqa: PLC0415 - not imported by an agent that sends

        from pombo_agent import text_report  # noqa: PLC0415

        width = shutil.get_terminal_size((100, 0)).columns
        sys.stdout.write(text_report.render(datagrams, width))


def _wait_for_signal() -> Callable[[float], bool]:
    """Return a function that waits for SIGTERM or SIGINT, for the seconds that it is given.

    It returns true if a signal has arrived, then and in each later call.
    """
    reader, writer = socket.socketpair()
    writer.settimeout(0)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait(seconds: float) -> bool:
        assert writer.fileno() >= 0  # referenced here, so that it stays open
        return bool(select.select([reader], [], [], seconds)[0])

    return wait


main = command(_run)

if __name__ == "__main__":
    main()
