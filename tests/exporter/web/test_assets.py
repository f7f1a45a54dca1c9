"""The files of the status page: all are served, and they refer to no other server."""

import json
import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
from pombo_exporter.web.assets import HeaderLinks
from pombo_exporter.web.join import JoinOptions
from support.served import Served, get

ROOT = Path(__file__).parents[3]
PAGE = files("pombo_exporter").joinpath("page")
FILES = {file.name: file.read_bytes() for file in PAGE.iterdir()}
CONTENT_TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
}
SHOWN = {"index.html": "/", "host.html": "/host", "join.html": "/join"}
PATHS = {name: f"/page/{name}" for name in FILES} | SHOWN


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_with_its_content_type(name: str) -> None:
    response, body = get(Served(joining=JoinOptions()), PATHS[name])
    assert response.status == 200
    assert body == FILES[name]
    assert response.content_type == CONTENT_TYPES[name.rpartition(".")[2]]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/host?name=x", "/join"])
def test_policy_of_the_page_allows_only_its_own_server(path: str) -> None:
    policy = get(Served(joining=JoinOptions()), path)[0].headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == "'none'"
    assert set(rules.values()) == {"'self'", "'none'"}
    assert {"script-src", "style-src", "base-uri", "form-action", "frame-ancestors"} <= set(rules)


@pytest.mark.parametrize("name", FILES)
def test_file_refers_to_no_other_server_and_has_no_inline_script_or_style(name: str) -> None:
    text = FILES[name].decode()
    urls = {
        url for url in re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text) if "www.w3.org" not in url
    }
    assert not urls
    if name.endswith(".html"):
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text)


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_is_referred_to_is_there(name: str) -> None:
    text = FILES[name].decode()
    wanted = re.findall(r'["(](?:/page/|\./)([\w.]+\.(?:js|css|svg))[")]', text)
    assert set(wanted) <= set(FILES)


def test_file_in_the_browsers_cache_is_not_sent_again() -> None:
    tag = get(Served(), "/page/style.css")[0].headers["ETag"]
    cached, body = get(Served(), "/page/style.css", If_None_Match=tag)
    assert (cached.status, body) == (304, b"")
    other, body = get(Served(), "/page/style.css", If_None_Match='"other"')
    assert (other.status, body) == (200, FILES["style.css"])


@pytest.mark.parametrize(
    "path", ["/page/", "/page/none.js", "/page/../web.py", "/page/%2e%2e/web.py"]
)
def test_nothing_else_is_served(path: str) -> None:
    assert get(Served(), path)[0].status == 404


def test_wheel_contains_every_file(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run(command, cwd=ROOT / "exporter", check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        prefix = "pombo_exporter/page/"
        found = {
            name.removeprefix(prefix): packed.read(name)
            for name in packed.namelist()
            if name.startswith(prefix)
        }
        installer = {name for name in packed.namelist() if "/installer/" in name}
    assert found == FILES
    of_hosts = {
        f"pombo_exporter/installer/{each}" for each in ("install.sh", "pombo-agent.service")
    }
    assert of_hosts <= installer


@pytest.mark.parametrize(
    ("path", "dashboard"), [("/", "pombo-fleet"), ("/host?name=x", "pombo-host")]
)
def test_pages_link_to_grafana_and_prometheus_where_these_are_given(
    path: str, dashboard: str
) -> None:
    links = HeaderLinks("https://example.org/grafana", "http://example.org:9090")
    text = get(Served(links=links), path)[1].decode()
    assert f'href="https://example.org/grafana/d/{dashboard}"' in text
    assert 'href="http://example.org:9090/"' in text
    assert text.count("grafana_link.js") == 1
    without = get(Served(links=HeaderLinks()), path)[1].decode()
    assert "rafana" not in without
    assert "rometheus" not in without


@pytest.mark.parametrize("uid", ["pombo-fleet", "pombo-host"])
def test_dashboards_that_pages_link_to_are_bundled(uid: str) -> None:
    boards = (ROOT / "grafana/dashboards").glob("*.json")
    assert uid in {json.loads(board.read_text())["uid"] for board in boards}
