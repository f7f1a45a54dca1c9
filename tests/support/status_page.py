"""The status page of an exporter: its addresses, its rows, and what it shows, by the API."""

import urllib.parse

import msgspec
from playwright.sync_api import Locator, Page
from pombo_exporter.views.schema import HostList

from support.pages import fetch
from support.processes import Exporter


def home(exporter: Exporter, query: str = "") -> str:
    """Return the URL of the fleet."""
    return f"http://{exporter.target}/{query}"


def host_url(exporter: Exporter, name: str) -> str:
    """Return the URL of the page of a host."""
    return f"http://{exporter.target}/host?name={urllib.parse.quote(name, safe='')}"


def row(page: Page, name: str) -> Locator:
    """Return the row of a host."""
    link = page.get_by_role("rowheader").get_by_role("link", name=name, exact=True)
    return page.locator("#rows tr").filter(has=link)


def cell(page: Page, name: str, kind: str) -> Locator:
    """Return the value of a host in a column."""
    return row(page, name).locator(f".{kind} .value").first


def shown(page: Page) -> list[str]:
    """Return the names of the rows in the document, from top to bottom."""
    return page.locator("#rows .name a").all_inner_texts()


def summaries(exporter: Exporter, query: str = "") -> HostList:
    """Return the hosts, as the API lists them."""
    answer = fetch(f"http://{exporter.target}/api/v1/hosts{query}")
    return msgspec.json.decode(answer, type=HostList)
