"""The exporter's command: start, wire the parts together, stop."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from os import urandom
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pombo_cli import logs, variables
from pombo_cli.flags import Address

from pombo_exporter.decode.options import DecodeOptions
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.roster import HostEvent, Roster
from pombo_exporter.ingest.drain import Drain
from pombo_exporter.ingest.intake import Intake
from pombo_exporter.ingest.kernel_drops import KernelDrops
from pombo_exporter.metrics.host_families import family_table
from pombo_exporter.notify.disks import threshold_of
from pombo_exporter.notify.flags import Targets
from pombo_exporter.notify.links import links
from pombo_exporter.notify.notifier import Notifier
from pombo_exporter.notify.targets import TargetError
from pombo_exporter.options import Options, command
from pombo_exporter.runtime import listen, stopping
from pombo_exporter.runtime.descriptors import connections_within_limit
from pombo_exporter.runtime.gc_tuning import HostFreezer
from pombo_exporter.runtime.moment import moment
from pombo_exporter.runtime.pacing import Pacer
from pombo_exporter.runtime.replying import ReplyingSocket
from pombo_exporter.runtime.stopping import Stop
from pombo_exporter.seal.key_file import KeyFileError
from pombo_exporter.state.file import StateFile
from pombo_exporter.stats import Cluster, Counters, ReceiveBuffer, StateErrors
from pombo_exporter.top.options import TopOptions
from pombo_exporter.views.event_log import EventLog
from pombo_exporter.web.acceptor import plain
from pombo_exporter.web.app import Parts, application
from pombo_exporter.web.join import JoinOptions
from pombo_exporter.web.server import Server
from pombo_exporter.web.toolkit.errors import WebConfigError

if TYPE_CHECKING:
    from pombo_exporter.ingest.sealed import SealedIntake
    from pombo_exporter.seal.keyring import Keyring
    from pombo_exporter.web.toolkit.toolkit import Toolkit

log = logging.getLogger("pombo_exporter")

_SWEEP_INTERVAL = 1.0  # seconds
_READ_WITHIN = 10.0  # seconds within which the socket is read by an exporter that lives
_LOG_INTERVAL = 60.0  # seconds between two lines of one event of one host
_LEVELS = {
    HostEvent.LATE: logging.DEBUG,
    HostEvent.DOWN: logging.WARNING,
    HostEvent.CONFLICT: logging.WARNING,
    HostEvent.HOLDER: logging.WARNING,
    HostEvent.EVICTED: logging.WARNING,
    HostEvent.LOOKALIKE: logging.WARNING,
}

_LISTEN_FLAGS = {
    socket.SOCK_DGRAM: "--udp.listen-address",
    socket.SOCK_STREAM: "--web.listen-address",
}


async def serve(
    options: Options,
    keys: "Keyring | None",
    toolkit: "Toolkit | None",
    targets: Targets,
    stop: Stop,
) -> None:
    """Receive reports and serve HTTP until ``stop`` is requested.

    Raises:
        ListenError: when an address is in use, forbidden, unknown or not this machine's.
    """
    freezer = HostFreezer()
    table = family_table(options.families)
    events = _Events(freezer)
    roster = Roster(options.limits, table.catalog(), events.note, monotonic(), urandom)
    udp = listen.udp(options.udp_listen_address, options.udp_receive_buffer, answers=bool(keys))
    sealed = None if keys is None else _sealed_intake(keys, roster, udp)
    intake = Intake(roster, monotonic, sealed, require_sealed=options.require_sealed)
    state = _restored(options.state_file, roster, keys, freezer)
    sizes = ReceiveBuffer(options.udp_receive_buffer, listen.buffer_bytes(udp))
    drops = KernelDrops(udp)
    where = str(_where(udp))
    counters = Counters(
        roster, intake, drops.read, sizes, *moment(), where, thresholds=options.thresholds
    )
    _count_files(counters, keys, state)

    def take(datagram: bytes, address: tuple[str | int, ...]) -> None:
        intake.take(datagram, address, *moment())

    async def sweep() -> None:
        while True:
            await _sweep(counters, events.log, pacer)
            drain.drain_now()  # the collector stops the loop for a millisecond or two
            freezer.collect(monotonic(), is_working=pacer.is_working)
            drops.read()
            await asyncio.sleep(_SWEEP_INTERVAL)

    drain = Drain(asyncio.get_running_loop(), udp, take, sizes.granted_bytes)
    pacer = Pacer(drain.drain_now)
    joining = options.joining and replace(options.joining, udp_port=_where(udp).port)
    parts = Parts(roster, table, counters, pacer, options.thresholds, events.log)
    server = _server(parts, options, toolkit, joining)
    notifier = _notifier(options, targets, roster, pacer, drain)
    _connect(notifier, events, counters, state)
    _on_hangup(keys, roster, notifier)
    try:
        http = listen.tcp(options.web_listen_address)
        _count_http(counters, options, http)
        await server.start(http)
        log.info("exporter listens", extra={"fields": {"udp": _where(udp), "web": _where(http)}})
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in (sweep(), notifier.run())]
            if state is not None:
                tasks.append(group.create_task(state.keep(pacer)))
            await stop.requested.wait()
            for task in tasks:
                task.cancel()
    finally:
        stop.begin()
        drain.stop()
        last = [notifier.finish(stop.grace_over), *([state.finish(pacer)] if state else [])]
        await asyncio.gather(server.stop(stop.grace_over), *last)
        udp.close()
    log.info("exporter stops")


async def _sweep(counters: Counters, event_log: EventLog, pacer: Pacer) -> None:
    """Apply what time changes of hosts and counters."""
    await pacer.collect(partial(counters.roster.sweep, monotonic()))
    await pacer.collect(partial(event_log.settle, counters.roster, *moment()))
    counters.arrival_rate.sample(monotonic(), counters.intake.received)


class _Events:
    """Logs the events of hosts, keeps the last ones, and passes them to ``also``."""

    def __init__(self, freezer: HostFreezer) -> None:
        self._freezer = freezer
        self.log = EventLog()
        # A limit for each kind of event, so that many new names suppress no other event.
        self._loggers = {event: logs.LimitedLogger(log, _LOG_INTERVAL) for event in HostEvent}
        self.also: Callable[[HostEvent, Host], None] = lambda *_: None

    def note(self, event: HostEvent, host: Host) -> None:
        """Take an event."""
        if event is HostEvent.NEW:
            self._freezer.host_added()
        fields = {"host": host.name, "address": host.address[0]}
        if event is HostEvent.CONFLICT:
            fields["other_address"] = host.conflict_address[0]
        if event is HostEvent.LOOKALIKE:
            fields["looks_like"] = host.looks_like
        level = _LEVELS.get(event, logging.INFO)
        self._loggers[event].log(level, event, key=host.name, **fields)
        self.log.take(event, host, *moment())
        self.also(event, host)


def _count_files(counters: Counters, keys: "Keyring | None", state: StateFile | None) -> None:
    """Let counters say whether the files could be used."""
    if keys is not None:
        counters.key_file_valid = lambda: keys.reload_successful
    if state is not None:
        counters.state_errors = lambda: StateErrors(state.load_errors, state.write_errors)


def _count_http(counters: Counters, options: Options, http: socket.socket) -> None:
    """Let counters know how many connections there may be, and where the exporter is reached."""
    counters.http.max_connections = connections_within_limit(options.max_connections)
    if options.cluster_name:
        member = Address(socket.gethostname(), _where(http).port)
        counters.cluster = Cluster(options.cluster_name, str(member))


def _notifier(
    options: Options, targets: Targets, roster: Roster, pacer: Pacer, drain: Drain
) -> Notifier:
    """Return what notifies and sends heartbeats."""
    loop = asyncio.get_running_loop()

    def lives() -> bool:
        return loop.time() - drain.read_at < _READ_WITHIN

    external, prefix = options.base.external, options.base.prefix
    url = external and external.text
    tls = options.web_config_file is not None
    where = links(url, prefix, options.web_listen_address, tls=tls)
    full = threshold_of(options.thresholds["disk"])
    return Notifier(options.notify, targets, roster, pacer, where=where, lives=lives, full=full)


def _connect(
    notifier: Notifier, events: _Events, counters: Counters, state: StateFile | None
) -> None:
    """Let a notifier know of what happens, and was known before, and count what it sends."""
    if state is not None:
        notifier.restore(state.written_at)
    counters.notifications, counters.heartbeats = notifier.deliveries, notifier.heartbeats
    counters.events_dropped = lambda: events.log.dropped
    events.also = notifier.note


def _on_hangup(keys: "Keyring | None", roster: Roster, notifier: Notifier) -> None:
    """Let SIGHUP read again the files that it is for."""

    def read_again() -> None:
        if keys is not None:
            keys.read_again(lambda: roster.revoke(keys.opener.is_revoked, monotonic()))
        notifier.read_again()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, read_again)


def _server(
    parts: Parts, options: Options, toolkit: "Toolkit | None", joining: JoinOptions | None
) -> Server:
    counters, access, handshakes = parts.counters.http, None, None
    counters.max_requests = options.max_requests
    if toolkit is not None:
        parts.counters.web_config_valid = lambda: toolkit.reload_successful
        parts.counters.certificate_expires = lambda: toolkit.certificate_expires
        access, handshakes = toolkit.access(counters), toolkit.handshakes(counters)
    app = application(
        parts,
        options.base,
        admin=options.admin_api,
        access=access,
        posts_per_second=options.posts_per_second,
        history=options.history,
        joining=joining,
        links=options.header_links,
    )
    return Server(app, counters, before=handshakes.accept if handshakes else plain)


def _sealed_intake(keys: "Keyring", roster: Roster, udp: socket.socket) -> "SealedIntake":
    """Return what takes sealed datagrams and answers them on the socket that receives them."""
    from pombo_exporter.ingest.sealed import SealedIntake  # noqa: PLC0415 - only sealing needs it
    from pombo_exporter.seal.crypto import CRYPTO  # noqa: PLC0415

    send = udp.answer if isinstance(udp, ReplyingSocket) else udp.sendto

    def answer(datagram: bytes, address: tuple[str | int, ...]) -> None:
        with suppress(OSError):  # nothing depends on an answer
            send(datagram, address)

    return SealedIntake(roster, keys.opener, CRYPTO, answer)


def _restored(
    path: Path | None, roster: Roster, keys: "Keyring | None", freezer: HostFreezer
) -> StateFile | None:
    """Restore the hosts of a state file, but none that the key file revokes."""
    if path is None:
        return None
    state = StateFile(path, roster)
    state.load()
    if keys is not None:
        roster.revoke(keys.opener.is_revoked, monotonic())
    freezer.freeze()
    return state


def _where(sock: socket.socket) -> Address:
    host, port, *_ = sock.getsockname()
    return Address(host, port)


def run(options: Options) -> None:
    """Run the exporter; exit with 1 when it cannot listen, or a file that it needs is wrong."""
    logs.set_up(options.log_level, options.log_format)
    variables.warn_of_unknown(log)
    # It asks to read files again. Without a file, or before it is read, there is nothing to do.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        keys = _keyring(options.seal_key_file)
        toolkit = _toolkit(options.web_config_file)
        stopping.run(partial(serve, options, keys, toolkit, options.notify.read()))
    except KeyFileError as error:
        fields = {"flag": "--seal.key-file", "error": error}
        log.error("cannot use the key file", extra={"fields": fields})  # noqa: TRY400
        sys.exit(1)
    except WebConfigError as error:
        fields = {"flag": "--web.config.file", "error": error}
        log.error("cannot use the web config file", extra={"fields": fields})  # noqa: TRY400
        sys.exit(1)
    except TargetError as error:
        fields = {"flag": "--notify.url-file or --heartbeat.url-file", "error": error}
        log.error("cannot use the file of a URL", extra={"fields": fields})  # noqa: TRY400
        sys.exit(1)
    except listen.ListenError as error:
        fields = {"flag": _LISTEN_FLAGS[error.kind], "value": error.address}
        fields |= {"error": error.reason, "remedy": error.remedy}
        log.error("cannot listen", extra={"fields": fields})  # noqa: TRY400 - no trace helps
        sys.exit(1)


def _keyring(path: Path | None) -> "Keyring | None":
    """Read the key file, if there is one.

    Raises:
        KeyFileError: when it cannot be used.
    """
    if path is None:
        return None
    from pombo_exporter.seal.keyring import Keyring  # noqa: PLC0415 - only sealing needs it

    return Keyring(path)


def _toolkit(path: Path | None) -> "Toolkit | None":
    """Read the web configuration file, if there is one.

    Raises:
        WebConfigError: when it cannot be used.
    """
    if path is None:
        return None
    from pombo_exporter.web.toolkit.toolkit import Toolkit  # noqa: PLC0415 - not all have the file

    return Toolkit(path)


def top(options: TopOptions) -> None:
    """Show another exporter's hosts; exit with 1 when that cannot be."""
    from pombo_exporter.top.screen import show  # noqa: PLC0415 - Rich is no part of a running exporter

    sys.exit(show(options))


def decode(options: DecodeOptions) -> None:
    """Print captured datagrams; exit with 1 when one would be refused."""
    from pombo_exporter.decode.run import decode as print_all  # noqa: PLC0415 - it needs Rich too

    sys.exit(print_all(options))


main = command(run, top, decode)

if __name__ == "__main__":
    main()
