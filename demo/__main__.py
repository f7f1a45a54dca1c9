"""Starts the demonstration, and ends it on Ctrl-C or SIGTERM, with all its programs."""

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack

import aiohttp
from aiohttp import web

from demo.observed import Observer
from demo.simulated import SimulationError
from demo.stage import Settings, Stage, StageError, stage
from demo.web import Site

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MOST_HOSTS = 50_000
_SHORTEST, _LONGEST = 0.5, 60.0  # seconds between two reports of a host


def _hosts(text: str) -> int:
    count = int(text)
    if not 1 <= count <= _MOST_HOSTS:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {_MOST_HOSTS}")
    return count


def _interval(text: str) -> float:
    seconds = float(text)
    if not _SHORTEST <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is not from {_SHORTEST} to {_LONGEST}")
    return seconds


def _settings() -> Settings:
    parser = argparse.ArgumentParser("python -m demo", description=__doc__)
    parser.add_argument(
        "--hosts", type=_hosts, default=10_000, help="simulated hosts; default: 10000"
    )
    parser.add_argument(
        "--interval",
        type=_interval,
        default=5.0,
        metavar="SECONDS",
        help="between two reports of a host; default: 5",
    )
    parser.add_argument(
        "--any-ports", action="store_true", help="use other ports than the usual ones, all free"
    )
    given = parser.parse_args()
    return Settings(given.hosts, given.interval, given.any_ports)


async def _serve(stack: AsyncExitStack, found: Stage, client: aiohttp.ClientSession) -> Observer:
    """Serve the page until the stack ends; return what reads its state."""
    observer = Observer(found, client)
    await observer.read()
    runner = web.AppRunner(
        Site(found, observer, client).application(), access_log=None, shutdown_timeout=1
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", found.page_port).start()
    return observer


def _say(found: Stage) -> None:
    """Print what to open."""
    first, second = found.exporters
    lines = (
        f"Open      http://127.0.0.1:{found.page_port}/",
        f"Exporter  {first.url}/",
        f"Replica   {second.url}/",
        f"Metrics   http://127.0.0.1:{found.prometheus.port}/",
        "Ctrl-C ends everything.",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


async def _run(settings: Settings) -> None:
    """Run the demonstration until it is cancelled.

    Raises:
        StageError: when a program does not start, or has ended by itself.
        SimulationError: when the simulation does not answer.
    """
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(stage(settings))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        await found.start(client)
        observer = await _serve(stack, found, client)
        _say(found)
        await observer.run()


async def _until_signal(settings: Settings) -> str | None:
    """Run the demonstration until a signal; return why it has ended by itself, if it has."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(_run(settings))

    def end() -> None:
        for number in _SIGNALS:  # a second one must not interrupt the end
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, end)
    try:
        await task
    except asyncio.CancelledError:
        return None
    except (StageError, SimulationError, OSError) as error:
        return str(error)
    except ExceptionGroup as group:
        known, others = group.split((StageError, SimulationError))
        if others or known is None:
            raise
        return str(_first(known))
    return None


def _first(error: Exception) -> Exception:
    """Return the first of the errors in a group of groups."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def main() -> None:
    """Run the demonstration; exit with 1 when it cannot."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    reason = asyncio.run(_until_signal(_settings()))
    if reason is not None:
        sys.stderr.write(f"demo: {reason}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
