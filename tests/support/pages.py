"""Pages of metrics: fetched, read into samples, and waited for."""

import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

T = TypeVar("T")

#: A sample's labels, without an order.
Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """The samples of one answer, which is of a moment between two times of day."""

    text: str
    samples: Mapping[tuple[str, Labels], float]
    asked_at: float
    answered_at: float

    def __str__(self) -> str:
        return self.text

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the sample with exactly these labels, None where there is none."""
        return self.samples.get((name, frozenset(labels.items())))

    def rows(self, name: str, **labels: str) -> dict[Labels, float]:
        """Return what remains of the labels, and the value, of each sample that has these."""
        wanted = frozenset(labels.items())
        return {
            held - wanted: value
            for (sample, held), value in self.samples.items()
            if sample == name and wanted <= held
        }

    def names(self, **labels: str) -> set[str]:
        """Return the names of the samples that have these labels."""
        wanted = frozenset(labels.items())
        return {name for name, held in self.samples if wanted <= held}

    def measured(self, instance: str) -> set[str]:
        """Return the names of what a host measured, without what the exporter knows of it."""
        names = self.names(instance=instance)
        return {name for name in names if not name.startswith("pombo_")}


def fetch(url: str, **headers: str) -> str:
    """Return what a server answers.

    Raises:
        OSError: when it does not, or answers with an error.
    """
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=15) as response:
        body: bytes = response.read()
    return body.decode()


def fetch_page(url: str) -> Page:
    """Return the samples of the page at ``url``; none may stand there twice."""
    asked_at = time.time()
    text = fetch(url)
    answered_at = time.time()
    samples: dict[tuple[str, Labels], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{sample.name}{sample.labels} stands twice on the page"
            samples[key] = sample.value
    return Page(text, samples, asked_at, answered_at)


def wait_until(
    look: Callable[[], T],
    holds: Callable[[T], object],
    what: str,
    within: float = 15.0,
    every: float = 0.05,
) -> T:
    """Look ``every`` few seconds until what is seen holds, and return it.

    A server that does not answer yet is looked at again. After ``within`` seconds the test
    fails, and says ``what`` was waited for and what was seen last.
    """
    deadline = time.monotonic() + within
    while True:
        seen: object
        try:
            seen = found = look()
        except (OSError, HTTPException) as error:
            seen = repr(error)
        else:
            if holds(found):
                return found
        if time.monotonic() >= deadline:
            pytest.fail(f"waited {within:g} s for {what}; last seen:\n{seen}")
        time.sleep(every)
