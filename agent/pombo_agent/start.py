"""The start of an agent: flags, ``--once``, and the process image that sends."""

import logging
import shutil
import sys

import click
from pombo_cli import logs, variables
from pombo_wire.section import in_order
from pombo_wire.splitting import Form

from pombo_agent import loop, options, settings, text_report
from pombo_agent.reexecute import reexecute
from pombo_agent.report import constant_sections, with_time
from pombo_agent.settings import Options
from pombo_agent.wakeup import EventWaiter

_LAST_SEQ = 2**63 - 1

_log = logging.getLogger("pombo_agent")


def _start(given: Options) -> None:
    # With the longest number that a datagram may get, so that a header that fits always fits.
    header = with_time({**loop.header(given), "host": given.name, "seq": _LAST_SEQ})
    _, omitted = loop.splitter_of(given).datagrams(header, constant_sections(given.labels))
    if omitted:
        raise click.UsageError(f"name or labels are too long for one datagram: {omitted[0]}")
    logs.set_up(given.log_level, given.log_format)
    variables.warn_of_unknown(_log)
    if given.once:
        _print_report(given)
    else:
        reexecute(settings.to_text(given))
        loop.run(given)


def _print_report(given: Options) -> None:
    given = given._replace(key_file="")  # people read it, so it is not sealed
    if given.format == "json":
        given = given._replace(wire=Form.JSON.value)
    log = loop.limited_logger(given)
    reports = loop.reporter(given, loop.collection(given, EventWaiter()), log)
    header, sections = reports.collect()
    datagrams = reports.datagrams(header, sections)
    if given.format == "json":
        sys.stdout.write("".join(f"{datagram.decode()}\n" for datagram in datagrams))
    else:
        width = shutil.get_terminal_size((100, 0)).columns
        sizes = list(map(len, datagrams))
        sys.stdout.write(text_report.render(header, in_order(sections), sizes, width))


command = options.command(_start)
