"""A network that loses half of all datagrams, and doubles and reorders others."""

from collections import Counter
from functools import partial
from time import monotonic, sleep

from pombo_cli.addresses import Address
from support.pages import wait_until
from support.relays import Counts, expected_counts

from faults.harness.fleet import Host
from faults.harness.outcome import BrokenRuleError, Outcome
from faults.harness.page import Page
from faults.harness.relay import FAIR, Relay, Weather
from faults.harness.settings import Settings
from faults.harness.trial import Trial

_LOST, _DOUBLED, _DELAYED = 0.5, 0.1, 0.3
_LONGEST = 1.6  # intervals: one report or two overtake


def lossy(settings: Settings) -> Outcome:
    """Lose, double and delay datagrams and answers, then compare each counter with the relay's."""
    seconds = 2 * settings.seconds
    hosts = min(settings.hosts, 200)
    with Trial(settings, hosts=hosts, interval=1.0) as trial:
        relay = Relay(trial.exporter.port, seed=5005)
        try:
            for host in trial.hosts:
                _through(host, relay)
            relay.use(Weather(_LOST, _DOUBLED, _DELAYED, _LONGEST * trial.fleet.interval))
            relay.start()
            trial.begin_at_once()
            sleep(seconds)
            relay.use(FAIR)
            healed = monotonic()
            live = trial.live_again(healed)
            wait_until(lambda: relay.is_empty, bool, "the delayed datagrams")
            trial.freeze()
            expected = {name: expected_counts(path.delivered) for name, path in relay.paths.items()}
            wait_until(
                trial.watch.page,
                partial(_counters_are, trial, expected),
                "the counters to be the relay's",
                within=3 * trial.fleet.interval + 2,
            )
            total = sum(path.sent for path in relay.paths.values())
            counts = Counter[str]()
            for each in expected.values():
                counts.update(lost=each.lost, duplicate=each.duplicate, reordered=each.reordered)
            if not all(counts.values()):
                raise BrokenRuleError(f"the relay did nothing: {counts}")
            outcome = trial.outcome(
                f"{total:,} datagrams of {hosts} hosts and their answers in {seconds:g} s: "
                f"{_LOST:.0%} lost, {_DOUBLED:.0%} doubled, {_DELAYED:.0%} delayed by up to "
                f"{_LONGEST * trial.fleet.interval:g} s",
                live,
                expected={"replayed": counts["duplicate"]},
            )
            outcome.found.append(
                f"counted as the relay did: {counts['lost']:,} lost, {counts['duplicate']:,} "
                f"duplicate, {counts['reordered']:,} reordered"
            )
            outcome.found.append(f"{relay.answers_lost:,} answers lost")
            return outcome
        finally:
            relay.close()


def _through(host: Host, relay: Relay) -> None:
    """Let a host send to the relay, and count as sent what the relay has delivered."""
    host.server = Address("127.0.0.1", relay.port)
    host.start()
    host.sent_at = relay.path(host.name).arrived_at
    host.is_relayed = True


def _counters_are(trial: Trial, expected: dict[str, Counts], page: Page) -> bool:
    return all(_counts(page, host) == expected[host.name] for host in trial.hosts)


def _counts(page: Page, host: Host) -> Counts:
    found = [
        page.of(host, f"datagrams_{name}_total")
        for name in ("received", "lost", "duplicate", "reordered")
    ]
    return Counts(*(round(value or 0) for value in found))
