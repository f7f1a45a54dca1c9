"""Print what the live page costs a browser: script by frame, as Chromium's own trace has it.

Usage: ``make measure-page``; the script itself takes [HOSTS] [SECONDS]. Hosts are simulated and
report every 5 s.
"""

import json
import sys
from collections import Counter
from time import sleep
from typing import Any, NamedTuple

from playwright.sync_api import Browser, expect
from support.browsers import DESKTOP, chromium

from bench.harness.prepared import prepared
from bench.harness.processes import exporter, get, load

HOSTS, SECONDS = 2000, 30
INTERVAL = 5  # seconds
FRAME = 1_000_000 / 60  # microseconds
SCRIPT = {"FunctionCall", "EvaluateScript", "v8.evaluateModule", "RunMicrotasks", "EventDispatch"}
COLLECTION = {"MinorGC", "MajorGC", "V8.GCScavenger", "V8.GCFinalizeMC"}
CATEGORIES = [
    "devtools.timeline",
    "v8",
    "disabled-by-default-v8.gc",
    "toplevel",
    "blink.user_timing",
]


class Span(NamedTuple):
    """A piece of work, in microseconds of the trace's clock."""

    start: float
    end: float


def spans(events: list[dict[str, Any]], names: set[str]) -> list[Span]:
    """Return when the page's own thread was at such work, without overlaps."""
    frames = Counter(
        (event["pid"], event["tid"]) for event in events if event["name"] == "FireAnimationFrame"
    )
    [(thread, _)] = frames.most_common(1)
    found = sorted(
        Span(event["ts"], event["ts"] + event.get("dur", 0))
        for event in events
        if event["name"] in names and (event["pid"], event["tid"]) == thread and event["ph"] == "X"
    )
    whole: list[Span] = []
    for span in found:
        if whole and span.start <= whole[-1].end:
            whole[-1] = Span(whole[-1].start, max(whole[-1].end, span.end))
        else:
            whole.append(span)
    return whole


def by_frame(work: list[Span]) -> list[float]:
    """Return the milliseconds of work in each sixtieth of a second that has any."""
    found: Counter[int] = Counter()
    for span in work:
        at = span.start
        while at < span.end:
            frame = int(at // FRAME)
            until = min(span.end, (frame + 1) * FRAME)
            found[frame] += until - at  # type: ignore[assignment]
            at = max(until, at + 1e-3)
    return sorted(value / 1000 for value in found.values())


def traced(browser: Browser, url: str, seconds: float, hosts: int) -> tuple[str, str]:
    """Return the figures of the page's loading, and of the time after it."""
    page = browser.new_page(viewport=DESKTOP)
    said = []
    browser.start_tracing(page=page, categories=CATEGORIES)
    page.goto(url)
    expect(page.locator("#table")).to_have_attribute("aria-rowcount", str(hosts + 1))
    page.wait_for_timeout(2000)
    said.append(figures(browser.stop_tracing()))
    browser.start_tracing(page=page, categories=CATEGORIES)
    page.wait_for_timeout(seconds * 1000 / 2)
    for _ in range(int(seconds * 2)):  # and now somebody reads it
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(250)
    said.append(figures(browser.stop_tracing()))
    page.close()
    return said[0], said[1]


def figures(trace: bytes) -> str:
    """Return a trace's script in words."""
    events = json.loads(trace)["traceEvents"]
    script = spans(events, SCRIPT)
    frames = by_frame(script)
    longest = max((span.end - span.start for span in script), default=0) / 1000
    collected = by_frame(spans(events, COLLECTION))
    nearly_all = frames[int(len(frames) * 0.99)] if frames else 0.0
    return (
        f"script in all {sum(frames):.0f} ms, in {len(frames)} frames: "
        f"99 % of them under {nearly_all:.1f} ms, the worst {max(frames, default=0):.1f} ms; "
        f"longest at a stretch {longest:.1f} ms; "
        f"collector {sum(collected):.0f} ms, at most {max(collected, default=0):.1f} ms a frame"
    )


def main() -> None:
    """Play the hosts, open the page, and print the figures."""
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else HOSTS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    turns = int((seconds + 40) // INTERVAL)
    with (
        prepared("few", hosts, turns) as fleet,
        exporter() as (process, port),
        load(port, fleet, range(turns)),
        chromium() as browser,
    ):
        sleep(2 * INTERVAL)
        before = process.usage().cpu
        sleep(2 * INTERVAL)
        ingest = (process.usage().cpu - before) / (2 * INTERVAL)
        loading, after = traced(browser, f"http://127.0.0.1:{port}/", seconds, hosts)
        size = len(get(port, "/api/v1/hosts"))
        sys.stdout.write(
            f"{hosts} hosts every {INTERVAL} s ({size / 1e6:.1f} MB as JSON); "
            f"the exporter takes them with {100 * ingest:.1f} % of a core\n"
            f"loading: {loading}\nafter:   {after}\n"
        )


if __name__ == "__main__":
    main()
