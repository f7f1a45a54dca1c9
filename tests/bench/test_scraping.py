"""A scrape that keeps nothing has the samples of one that keeps all."""

import re

from bench.harness import processes
from bench.harness.prepared import prepared
from bench.harness.scraping import count_samples, scrape

HOSTS, INTERVAL = 3, 60.0


def test_samples_ages_and_intervals_are_those_of_the_page() -> None:
    with (
        prepared("device", HOSTS, 2, INTERVAL) as fleet,
        processes.exporter() as (_, port),
    ):
        processes.fill(port, fleet, range(2), rate=100)
        page = processes.get(port)
        # The histogram of scrapes has all its samples from the first one on.
        assert count_samples(port) == len(re.findall(rb"^[^#\n]", page, re.MULTILINE))
        last = processes.samples(page, "pombo_host_last_report_timestamp_seconds").values()
        found = scrape(port)
        assert abs(found.oldest - found.newest - (max(last) - min(last))) < 1e-3
        assert 0 <= found.newest <= found.oldest < INTERVAL
        assert 0 < found.bytes < len(page)
    intervals = processes.samples(page, "pombo_host_interval_seconds")
    assert [*intervals.values()] == [INTERVAL] * HOSTS
