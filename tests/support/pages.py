"""Metrics over HTTP: fetched, parsed into samples, waited for. The benchmark uses it, too."""

import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families

T = TypeVar("T")

#: A sample's labels, without an order.
Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """The samples of one exposition, and the Unix times of the request and the answer."""

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
        """Return the other labels and the value of each sample that has these labels."""
        wanted = frozenset(labels.items())
        return {
            found - wanted: value
            for (sample, found), value in self.samples.items()
            if sample == name and wanted <= found
        }

    def stored(self, name: str, **labels: str) -> dict[Labels, float]:
        """Return the same as ``rows``, without empty labels, as Prometheus stores them."""
        return {
            frozenset((label, text) for label, text in found if text): value
            for found, value in self.rows(name, **labels).items()
        }

    def names(self, **labels: str) -> set[str]:
        """Return the names of the samples that have these labels."""
        wanted = frozenset(labels.items())
        return {name for name, found in self.samples if wanted <= found}

    def measured(self, instance: str) -> set[str]:
        """Return the names of a host's own samples, without those of the exporter about it."""
        names = self.names(instance=instance)
        return {name for name in names if not name.startswith("pombo_")}


def fetch(url: str, **headers: str) -> str:
    """Return the text that a server answers with.

    Raises:
        OSError: when it does not answer, or answers with an error.
    """
    return fetch_bytes(url, headers).decode()


def fetch_bytes(url: str, headers: Mapping[str, str], timeout: float = 15.0) -> bytes:
    """Return the body that a server answers with; ``timeout`` is in seconds.

    Raises:
        OSError: when it does not answer, or answers with an error.
    """
    request = urllib.request.Request(url, headers=dict(headers))
    with urllib.request.urlopen(request, timeout=timeout) as response:
        body: bytes = response.read()
    return body


def fetch_page(url: str) -> Page:
    """Return the samples of the exposition at ``url``; each has to be there once."""
    asked_at = time.time()
    text = fetch(url)
    return parsed_page(text, asked_at, time.time())


def parsed_page(text: str, asked_at: float, answered_at: float) -> Page:
    """Return the samples of an exposition; each has to be there once."""
    samples: dict[tuple[str, Labels], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{sample.name}{sample.labels} is there twice"
            samples[key] = sample.value
    return Page(text, samples, asked_at, answered_at)


def wait_until(
    read: Callable[[], T],
    accept: Callable[[T], object],
    what: str,
    within: float = 15.0,
    every: float = 0.05,
) -> T:
    """Call ``read`` every ``every`` seconds until its value is accepted, and return that value.

    A server that does not answer yet is asked again. ``what`` names the awaited event.

    Raises:
        AssertionError: when no value was accepted ``within`` seconds; it shows the last one.
    """
    deadline = time.monotonic() + within
    while True:
        last: object
        try:
            last = value = read()
        except (OSError, HTTPException) as error:
            last = repr(error)
        else:
            if accept(value):
                return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {within:g} s for {what}; last value:\n{last}")
        time.sleep(every)
