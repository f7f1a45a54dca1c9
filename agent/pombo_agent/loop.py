"""The agent as it runs: collect, send, until a signal."""

import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pombo_cli import logs
from pombo_cli.logs import LimitedLogger
from pombo_wire.sealing import overhead
from pombo_wire.splitting import Form, Splitter

from pombo_agent import __version__
from pombo_agent.announcement import Announcement
from pombo_agent.collecting.collection import (
    Collection,
    Run,
    collection_deadlines,
    mount_deadlines,
    usages_by,
)
from pombo_agent.collecting.collector import with_flags
from pombo_agent.collecting.deadlines import Caller
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import Skips
from pombo_agent.collecting.sources import Sources, Usage
from pombo_agent.discovery import collectors_of, usage_function
from pombo_agent.report import Reporter, constant_sections
from pombo_agent.schedule import ticks
from pombo_agent.servers import Endpoint, Url
from pombo_agent.settings import Options, ServerMode, has_answers, is_valid_name
from pombo_agent.suspension import Suspension, boot_clock
from pombo_agent.transport.listing import Listing
from pombo_agent.transport.replicas import Choice, Replicas
from pombo_agent.transport.udp import Sender
from pombo_agent.wakeup import EventWaiter, SignalWaiter, Waiter

if TYPE_CHECKING:
    from pombo_agent.transport.dialogue import Dialogue
    from pombo_agent.transport.replicas import Server

_BYE_INTERVAL_SECONDS = 0.005
_WARNING_INTERVAL_SECONDS = 3600.0  # between two warnings of one key
_FAULT_INTERVAL_SECONDS = 3600.0  # the same, about what is read

_log = logging.getLogger("pombo_agent")


def header(options: Options) -> dict[str, Any]:
    """Return the header of the first datagram of a new session; each report sets the times."""
    # What seals a datagram has the name and the number, of its own for each server.
    of_plain = {} if options.key_file else {"host": options.name, "seq": 0}
    return {
        **of_plain,
        "session": time.time_ns(),
        "time": 0.0,
        "monotonic": 0.0,
        "interval": options.interval,
    }


def collection(options: Options, waiter: Waiter) -> Collection:
    """Return what runs the collectors, in threads that wake ``waiter``."""
    mounts: Caller[Usage] = Caller(EventWaiter(), mount_deadlines(options.interval), inline=True)
    paths = options.procfs, options.sysfs, options.rootfs, options.udev
    sources = Sources(*paths, Flags({}), usages_by(mounts, usage_function()), Skips(), {})
    known = collectors_of(options.modules)
    collectors = {
        name: with_flags(collector.collect, Flags(options.collectors[name]))
        for name, collector in known.items()
        if name in options.collectors
    }
    caller: Caller[Run] = Caller(waiter, collection_deadlines(options.interval))
    log = LimitedLogger(_log, _FAULT_INTERVAL_SECONDS)
    return Collection(collectors, sources, caller, log)


def splitter_of(options: Options) -> Splitter:
    """Return what divides reports into datagrams, which leave room for a seal if there is a key."""
    reserve = overhead(options.name.encode()) if options.key_file else 0
    return Splitter(Form(options.wire), reserve)


def reporter(options: Options, collected: Collection, log: LimitedLogger) -> Reporter:
    """Return what makes the reports of a new session."""
    constant = constant_sections(options.labels)
    return Reporter(header(options), constant, collected, splitter_of(options), log)


def replicas_of(
    options: Options, log: LimitedLogger, waiter: Waiter, byes: Callable[[], list[bytes]]
) -> Replicas[Endpoint]:
    """Return what sends to the servers, and seals if there is a key.

    ``byes`` returns the datagrams that end the session of now at one of them.

    Raises:
        ValueError: when the key file cannot be used.
    """
    new_dialogue = _dialogues(options)

    def sender(server: Endpoint, *, probes: bool) -> "Server":
        dialogue = new_dialogue(probes)
        if isinstance(server, Url):
            from pombo_agent.transport.http import HttpSender, Timing  # noqa: PLC0415 - large

            timing = Timing(options.interval)
            return HttpSender(
                server, options.http, log, timing, dialogue, asks=not options.one_way, quiet=probes
            )
        return Sender(server, log, waiter, time.monotonic, dialogue=dialogue, quiet=probes)

    listing = Listing(options.servers, log, waiter, time.monotonic)
    return Replicas(listing, choice_of(options), sender, byes, log, time.monotonic)


def choice_of(options: Options) -> Choice:
    """Return how servers are chosen in the mode of the options."""
    count = {
        ServerMode.ALL.value: None,
        ServerMode.FAILOVER.value: 1,
        ServerMode.SHARD.value: options.server_replicas,
    }[options.server_mode]
    return Choice(count, order_of(options), has_answers=has_answers(options))


def order_of(options: Options) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return what puts the names of servers into the order in which this host prefers them."""
    if options.server_mode != ServerMode.SHARD.value:
        return list
    from pombo_wire.rendezvous import order  # noqa: PLC0415 - only this mode needs it

    return partial(order, options.name)


def _dialogues(options: Options) -> "Callable[[bool], Dialogue | None]":
    """Return what makes the dialogue with a server, of probes or not; None where there is no key.

    Raises:
        ValueError: when the key file cannot be used.
    """
    if not options.key_file:
        return lambda _: None
    from pombo_agent.transport.crypto import CRYPTO  # noqa: PLC0415 - only sealing needs it
    from pombo_agent.transport.dialogue import Dialogue  # noqa: PLC0415
    from pombo_agent.transport.key import read_key  # noqa: PLC0415

    key, asks = read_key(options.key_file), not options.one_way
    return lambda probes: Dialogue(
        CRYPTO, key, options.interval, asks=asks, probes=probes, wall=time.time
    )


def limited_logger(options: Options) -> LimitedLogger:
    """Set up the logs, and return the logger of warnings that may repeat."""
    logs.set_up(options.log_level, options.log_format)
    return LimitedLogger(_log, _WARNING_INTERVAL_SECONDS)


def run(options: Options, boot: Callable[[], float] = boot_clock) -> None:
    """Send reports until SIGTERM or SIGINT, and then end the session.

    ``boot`` is a clock in seconds that goes on while the system is suspended.
    """
    limited = limited_logger(options)
    waiter = SignalWaiter()
    waiter.watch(signal.SIGTERM, signal.SIGINT)
    collected = collection(options, waiter)
    reports = reporter(options, collected, limited)
    replicas = replicas_of(options, limited, waiter, reports.byes_to_one)
    servers = " ".join(map(str, options.servers))
    fields = {"version": __version__, "name": options.name, "servers": servers}
    fields |= {"mode": mode_text(options), "answers": _answers(options)}
    _log.info("agent started", extra={"fields": fields})
    if options.server_mode == ServerMode.SHARD.value and not has_answers(options):
        remedy = "give --key-file, without --one-way" if options.one_way else "give --key-file"
        fields = {"remedy": remedy}
        _log.warning(
            "exporters are chosen without failover: they do not answer", extra={"fields": fields}
        )

    announcement = Announcement(options, replicas, _log)
    suspension = Suspension(boot)
    for _ in ticks(options.interval, time.monotonic, waiter.wait):
        if seconds := suspension.new_seconds():
            _log.info("the system was suspended", extra={"fields": {"seconds": round(seconds, 1)}})
            replicas.renew()
            if options.key_file:  # one that seals has another salt now, so another session
                reports.start_session(header(options))
        name = _followed_name(options)
        if name != options.name:
            _log.info("hostname changed", extra={"fields": {"from": options.name, "to": name}})
            _send_byes(reports, replicas)
            options = options._replace(name=name)
            replicas.reorder(order_of(options))
            reports.start_session(header(options))
        datagrams = reports.next_report()
        if waiter.stopped:  # while it was collected, so the report is not complete
            break
        replicas.send(datagrams)
        announcement.note(datagrams)

    _send_byes(reports, replicas)
    replicas.close()
    _log.info("agent stopped")


def mode_text(options: Options) -> str:
    """Return the mode for people."""
    if options.server_mode != ServerMode.SHARD.value:
        return options.server_mode
    plural = "s" if options.server_replicas > 1 else ""
    return f"{options.server_mode}, {options.server_replicas} replica{plural}"


def _answers(options: Options) -> str:
    """Return, for the log, whether the agent will know that it is heard."""
    if not options.key_file:
        is_http = any(isinstance(server, Url) for server in options.servers)
        return "only over HTTP, without --key-file" if is_http else "none, without --key-file"
    return "none, with --one-way" if options.one_way else "expected"


def _followed_name(options: Options) -> str:
    """Return the name of the host: the hostname of now, unless a name was given."""
    if not options.follow_hostname:
        return options.name
    name = socket.gethostname()
    return name if is_valid_name(name) else options.name


def _send_byes(reports: Reporter, replicas: Replicas[Any]) -> None:
    for bye in reports.byes():
        replicas.send_known([bye])
        time.sleep(_BYE_INTERVAL_SECONDS)
