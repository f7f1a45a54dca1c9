"""The exporter behind a reverse proxy, below a path of another server, with the real clients."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect
from support.browsers import Tab
from support.pages import fetch, wait_until
from support.processes import BIN, ROOT, Exporter, Launcher, found, free_port
from support.proxies import proxy
from support.senders import Sender, steady

#: Names that are special in a path.
NAMES = ["pi", "a/b", "50%", "x y", "übergröße"]


@contextmanager
def proxied(start: Launcher, kind: str) -> Iterator[tuple[Exporter, str]]:
    """Start an exporter with hosts behind a proxy; yield it and the URL below which it is."""
    port = free_port()
    upstream = f"http://127.0.0.1:{port}"
    with proxy(upstream, "/pombo", strip=kind != "prefix") as url:
        flags = {
            "nothing": [],  # the proxy strips the path, and the exporter does not know of it
            "url": [f"--web.external-url={url}", "--web.route-prefix=/"],
            "prefix": [f"--web.external-url={url}"],
        }[kind]
        prefix = "/pombo" if kind == "prefix" else ""
        exporter = start.exporter(*flags, port=port, ready=False)
        exporter.url = f"{upstream}{prefix}/metrics"
        wait_until(exporter.page, bool, "the exporter's first page")
        for name in NAMES:
            with Sender(name, port, interval=60.0) as sender:
                for moment in (1, 2):
                    sender.report(moment, *steady(moment))
        yield exporter, url


@pytest.mark.parametrize("kind", ["nothing", "url", "prefix"])
def test_status_page_and_its_links_work(kind: str, start: Launcher, browser: Browser) -> None:
    with proxied(start, kind) as (_, url), ExitStack() as stack:
        tab = Tab(browser)
        stack.callback(tab.close)
        page = tab.page
        page.goto(f"{url}/")
        expect(page.locator("#rows .name a")).to_have_count(len(NAMES))
        expect(page.locator("#disconnected")).to_be_hidden()
        for name in ("Metrics", "Targets", "API"):
            link = page.get_by_role("link", name=name, exact=True)
            href = link.evaluate("link => link.href")
            assert href.startswith(f"{url}/")
            assert fetch(href)
        for name in NAMES:
            page.goto(f"{url}/")
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.locator("#name")).to_have_text(name)
            expect(page.locator("#state")).to_contain_text("live")
            for other in ("#to-metrics", "#to-api"):
                assert fetch(page.locator(other).evaluate("link => link.href"))
            page.locator("#families summary").first.click()
            expect(page.locator("#families")).to_contain_text("host_memory_total_bytes")
            page.get_by_role("link", name="All hosts").click()
            expect(page.locator("#rows .name a")).to_have_count(len(NAMES))
        assert tab.errors == []


def test_root_and_the_path_without_its_slash_lead_to_the_page(start: Launcher) -> None:
    with proxied(start, "prefix") as (exporter, url):
        page = fetch(f"{url}/")
        assert "<title>Pombo</title>" in page
        assert fetch(url) == page
        assert fetch(f"http://{exporter.target}/") == page
        assert fetch(f"{url}/-/healthy").startswith("Pombo is healthy")


@pytest.mark.parametrize("kind", ["url", "prefix"])
def test_prometheus_discovers_and_scrapes_every_host_through_the_proxy(
    kind: str, start: Launcher, tmp_path: Path
) -> None:
    with proxied(start, kind) as (_, url):
        authority = re.sub("^http://|/pombo$", "", url)
        config = tmp_path / "targets.yml"
        text = (ROOT / "prometheus/targets.yml").read_text()
        text = text.replace("http://localhost:5005/sd", f"{url}/sd")
        text = text.replace("localhost:5005", authority).replace(
            "metrics_path: /", "metrics_path: /pombo/"
        )
        text = text.replace("_interval: 5s", "_interval: 1s")
        config.write_text(text)
        (tmp_path / "rules").mkdir()
        port = free_port()
        start.program(
            found("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )

        def health() -> dict[str, str]:
            answer = json.loads(fetch(f"http://127.0.0.1:{port}/api/v1/targets"))
            return {
                target["labels"]["instance"]: target["health"]
                for target in answer["data"]["activeTargets"]
            }

        awaited = {**dict.fromkeys(NAMES, "up"), authority: "up"}
        wait_until(health, awaited.__eq__, "every target up", within=30)
        answer = json.loads(fetch(f"http://127.0.0.1:{port}/api/v1/targets"))
        urls = {
            target["labels"]["instance"]: target["scrapeUrl"]
            for target in answer["data"]["activeTargets"]
        }
        for name in NAMES:
            assert urls[name] == f"{url}/hosts/{quote(name)}/metrics"


def test_top_shows_an_exporter_below_a_path(start: Launcher) -> None:
    with proxied(start, "nothing") as (_, url):
        table = start.program(str(BIN / "pombo-exporter"), "top", url, "--once")
        assert table.ended() == 0
        assert "pi" in table.log
