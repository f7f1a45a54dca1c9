"""The application below a prefix, and under an external URL."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from pombo_exporter.web.base import Base, ExternalUrl, external_url
from pombo_wire import Report
from support.served import Client, Served, get, visit

PREFIX = Base("/a/pombo")
OUTSIDE = ExternalUrl("https", "example.org:8443", "example.org", "/outside")

#: A path of each module that has routes.
PATHS = ["/", "/host", "/page/style.css", "/metrics", "/exporter/metrics", "/sd", "/api/v1/hosts"]
PATHS += ["/-/healthy", "/-/ready", "/hosts/pi/metrics", "/api/v1/hosts/pi", "/api/v1/status"]


def served(base: Base, *names: str) -> Served:
    """Return an exporter at that base, with hosts."""
    found = Served(base=base)
    for name in names or ("pi",):
        found.take(Report(name, gauges={"x": 1.0}))
    return found


def targets(base: Base, **headers: str) -> list[dict[str, Any]]:
    """Return what service discovery answers."""
    found: list[dict[str, Any]] = json.loads(get(served(base), f"{base.prefix}/sd", **headers)[1])
    return found


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_below_the_prefix_and_nowhere_else(path: str) -> None:
    assert get(served(PREFIX), f"/a/pombo{path}")[0].status == 200
    if path != "/":
        assert get(served(PREFIX), path)[0].status == 404


@pytest.mark.parametrize(
    ("base", "path", "target"),
    [
        (PREFIX, "/", "/a/pombo/"),
        (PREFIX, "/a/pombo", "/a/pombo/"),
        (Base("/inside", OUTSIDE), "/", "/inside/"),
        (Base("/inside", OUTSIDE), "/inside", "/outside/"),
    ],
)
def test_path_without_the_prefix_or_its_slash_is_redirected(
    base: Base, path: str, target: str
) -> None:
    found = served(base)

    async def use(client: Client) -> tuple[int, str]:
        response = await client.get(path, allow_redirects=False)
        return response.status, response.headers["Location"]

    assert visit(found, use) == (302, target)


@pytest.mark.parametrize("name", ["a/b", "/", "50%", "a%2Fb", "ü", "metrics", "hosts/x"])
def test_host_of_any_name_is_found_below_the_prefix(name: str) -> None:
    for path in (f"/hosts/{quote(name, safe='')}/metrics", f"/api/v1/hosts/{quote(name, safe='')}"):
        response, _ = get(served(PREFIX, name), f"/a/pombo{path}")
        assert response.status == 200


@pytest.mark.parametrize("path", ["/%68osts/pi/metrics", "/api/v1/%68osts/pi"])
def test_host_is_found_in_a_path_that_is_encoded_more_than_it_needs(path: str) -> None:
    assert get(served(PREFIX), f"/a/pombo{path}")[0].status == 200


def test_errors_of_the_api_are_json_below_the_prefix_and_name_the_path() -> None:
    response, body = get(served(PREFIX), "/a/pombo/api/v1/hosts/nobody")
    assert response.status == 404
    assert "/a/pombo/api/v1/hosts" in json.loads(body)["error"]


def test_targets_are_at_the_external_url() -> None:
    [target] = targets(Base("/inside", OUTSIDE), Host="10.0.0.1:5005")
    assert target["targets"] == ["example.org:8443"]
    assert target["labels"]["__scheme__"] == "https"
    assert target["labels"]["__metrics_path__"] == "/outside/hosts/pi/metrics"


def test_targets_without_an_external_url_are_at_the_address_of_the_request() -> None:
    [target] = targets(PREFIX, Host="10.0.0.1:5005")
    assert target["targets"] == ["10.0.0.1:5005"]
    assert "__scheme__" not in target["labels"]
    assert target["labels"]["__metrics_path__"] == "/a/pombo/hosts/pi/metrics"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://Example.org", ExternalUrl("http", "example.org", "example.org", "")),
        ("https://a:1/", ExternalUrl("https", "a:1", "a", "")),
        (
            "http://[2001:db8::1]:80/x/y/",
            ExternalUrl("http", "[2001:db8::1]:80", "2001:db8::1", "/x/y"),
        ),
    ],
)
def test_external_url_has_no_slash_at_its_end(text: str, url: ExternalUrl) -> None:
    assert external_url(text) == url


@pytest.mark.parametrize("odd", ["\x1b[31m", "\u202e", "\x7f", "$(id)", "`id`", "<b>", " ", "'"])
def test_external_url_has_no_character_that_a_terminal_or_a_shell_acts_upon(odd: str) -> None:
    with pytest.raises(ValueError, match="is not a URL"):
        external_url(f"http://a{odd}b/pombo")
