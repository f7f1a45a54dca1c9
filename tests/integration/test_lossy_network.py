"""On a network that loses, doubles and delays datagrams, rates and totals stay right."""

import functools
import operator
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pombo_wire.splitting import Form
from support.pages import Page, wait_until
from support.processes import Exporter, Launcher
from support.relays import Counts, Relay, expected_counts
from support.senders import CORES, DEVICES, STEADY_RATES, Sender, steady

COUNTERS = ("received", "lost", "duplicate", "reordered")

#: Counters of ``steady``, and the step a second of their first device.
TOTALS = {
    "node_network_receive_bytes_total": 1000,
    "node_network_transmit_bytes_total": 3000,
    "node_disk_read_bytes_total": 4096,
    "node_disk_written_bytes_total": 8192,
}


def counts(exposition: Page, instance: str) -> Counts | None:
    """Return the exporter's counters of a host's datagrams, None before the first datagram."""
    values = [
        exposition.value(f"pombo_host_datagrams_{name}_total", instance=instance)
        for name in COUNTERS
    ]
    known = [int(value) for value in values if value is not None]
    return Counts(*known) if known else None


def received(exposition: Page, instance: str) -> int | None:
    """Return how many datagrams of a host the exporter has received."""
    found = counts(exposition, instance)
    return found.received if found else None


@contextmanager
def lossy_network(exporter: Exporter, seed: int) -> Iterator[Relay]:
    relay = Relay(exporter.port, seed)
    relay.start()
    try:
        yield relay
    finally:
        relay.close()


def assert_nothing_else_was_lost(exporter: Exporter, delivered: list[int]) -> None:
    assert exporter.counted("pombo_exporter_kernel_drops_total") == 0
    assert exporter.counted("pombo_exporter_datagrams_received_total") == len(delivered)


def assert_enough_was_lost(relay: Relay) -> None:
    sent, seen = len(relay.entered), expected_counts(relay.delivered)
    assert relay.entered[0] not in relay.delivered
    assert seen.lost > 0.1 * sent
    assert seen.duplicate > 0.01 * sent
    assert seen.reordered > 0.02 * sent


@pytest.mark.parametrize(
    ("seed", "form"), [pytest.param(5005, Form.JSON, marks=pytest.mark.slow), (1913, Form.PACKED)]
)
def test_every_rate_and_total_is_right_and_every_loss_is_counted(
    start: Launcher, seed: int, form: Form
) -> None:
    # Two minutes on the agent's clock, sent faster than that. The host is live for three intervals
    # after each report, and a gap is lost after two, in real time: long enough for a busy machine.
    reports, interval = 120, 5.0
    exporter = start.exporter()
    before: Page | None = None
    with Sender("far away", exporter.port, interval=interval, form=form) as sender:
        with lossy_network(exporter, seed) as relay:
            sender.send_to(relay.port)
            for moment in range(1, reports + 1):
                sent = sender.report(moment, *steady(moment))
                wait_until(
                    lambda: len(relay.entered),
                    functools.partial(operator.lt, sent[-1]),
                    "the relay to keep up",
                    every=0.01,
                )
                exposition = exporter.page()
                assert_rates_are_right_and_no_total_fell(exposition, before)
                before = exposition
        delivered = list(relay.delivered)
        assert_enough_was_lost(relay)

        # All of the last report arrives, so that its totals can be compared.
        sender.send_to(exporter.port)
        last = reports + 1
        delivered += sender.report(last, *steady(last))
        expected = expected_counts(delivered)
        exposition = wait_until(
            exporter.page,
            lambda exposition: received(exposition, "far away") == expected.received,
            "the last report",
        )
        assert_totals_are_right(exposition, last)
        assert_rates_are_right_and_no_total_fell(exposition, before)
        wait_until(
            exporter.page,
            lambda exposition: counts(exposition, "far away") == expected,
            f"the counters to be {expected}",
        )
        assert_nothing_else_was_lost(exporter, delivered)


def assert_rates_are_right_and_no_total_fell(exposition: Page, before: Page | None) -> None:
    for (name, labels), expected in STEADY_RATES.items():
        rate = exposition.value(name, instance="far away", **dict(labels))
        assert rate is None or rate == pytest.approx(expected, rel=1e-9), (name, labels)
    if before is None:
        return
    for (name, labels), value in before.samples.items():
        if ("instance", "far away") in labels:
            now = exposition.samples.get((name, labels))
            assert now is not None, f"{name}{set(labels)} has gone"
            assert now >= value or not name.endswith("_total"), f"{name}{set(labels)} fell"


def assert_totals_are_right(exposition: Page, moment: float) -> None:
    for name, step in TOTALS.items():
        for device in range(DEVICES):
            total = exposition.value(name, instance="far away", device=f"dev{device}")
            assert total == step * (device + 1) * moment, (name, device)
    for core in range(CORES):
        for mode, share in (("user", 0.25), ("idle", 0.75)):
            total = exposition.value(
                "node_cpu_seconds_total", instance="far away", cpu=str(core), mode=mode
            )
            assert total == share * moment, (core, mode)
    for name, labels in STEADY_RATES:
        assert exposition.value(name, instance="far away", **dict(labels)) is not None, (
            name,
            labels,
        )


def test_losses_of_a_real_agent_are_counted(start: Launcher) -> None:
    exporter = start.exporter()
    with lossy_network(exporter, seed=22) as relay:
        # A gap is lost after two intervals: a busy machine must not delay a datagram for so long.
        # A report takes several datagrams in the plain form.
        agent = start.agent(
            "real", f"127.0.0.1:{relay.port}", interval="500ms", flags=["--wire=json"]
        )
        wait_until(
            lambda: relay.entered, lambda entered: len(entered) >= 300, "300 datagrams", within=60
        )
        exposition = exporter.page()
        assert "host_memory_total_bytes" in exposition.measured("real")
        agent.kill()
    assert_enough_was_lost(relay)
    expected = expected_counts(relay.delivered)
    wait_until(
        exporter.page,
        lambda exposition: counts(exposition, "real") == expected,
        f"the counters to be {expected}",
    )
    assert_nothing_else_was_lost(exporter, relay.delivered)
