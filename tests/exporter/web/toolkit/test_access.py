"""Requests need a password, except for some paths; answers have the configured headers."""

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from pombo_exporter.stats import HttpCounters
from pombo_exporter.web.base import Base
from pombo_exporter.web.toolkit.access import Access, credentials
from pombo_exporter.web.toolkit.authenticated import require_password
from pombo_exporter.web.toolkit.config import RateLimit, WebConfig
from support.certificates import password_hash
from support.served import Client, Served, visit

USERS = {"alice": password_hash("secret").encode()}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}


PLAIN = {"Accept-Encoding": "identity"}
RIGHT, WRONG = basic("alice:secret"), basic("alice:guess")


class Now:
    """A configuration, and a clock that stands still, as a test sets them."""

    def __init__(self, config: WebConfig) -> None:
        self.config, self.seconds = config, 1000.0
        self.counters = HttpCounters()
        self.access = Access(lambda: self.config, self.counters, lambda: self.seconds)


def ask(now: Now, *requests: tuple[str, str, dict[str, str]]) -> list[tuple[ClientResponse, str]]:
    """Return the answers to these requests: method, path, headers."""

    async def use(client: Client) -> list[tuple[ClientResponse, str]]:
        found = []
        for method, path, headers in requests:
            response = await client.request(method, path, headers={**PLAIN, **headers})
            found.append((response, await response.text()))
        return found

    answers: list[tuple[ClientResponse, str]] = visit(Served(access=now.access), use)
    return answers


def statuses(now: Now, *requests: tuple[str, str, dict[str, str]]) -> list[int]:
    return [response.status for response, _ in ask(now, *requests)]


PATHS = ["/", "/metrics", "/exporter/metrics", "/sd", "/live", "/-/ready", "/api/v1/hosts", "/x"]


@pytest.mark.parametrize("path", PATHS)
def test_path_needs_a_password(path: str) -> None:
    now = Now(WebConfig(users=USERS))
    assert statuses(now, *(("GET", path, each) for each in ({}, WRONG))) == [401, 401]
    assert now.counters.refused["unauthorized"] == 2
    if path != "/live":
        (status,) = statuses(now, ("GET", path, RIGHT))
        assert status == (404 if path == "/x" else 200)


def test_path_needs_no_password_without_users() -> None:
    assert statuses(
        Now(WebConfig()), *(("GET", path, {}) for path in PATHS if path != "/live")
    ) == [200] * 6 + [404]


def test_only_health_and_the_posting_of_reports_are_open() -> None:
    now = Now(WebConfig(users=USERS))
    assert statuses(
        now,
        ("GET", "/-/healthy", {}),
        ("HEAD", "/-/healthy", {}),
        ("POST", "/-/healthy", {}),
        ("GET", "/report", {}),
        ("DELETE", "/api/v1/hosts/x", {}),
        ("GET", "/-/healthy/", {}),
        ("GET", "/-%2Fhealthy", {}),
        ("GET", "/metrics/../-/healthy", {}),
    ) == [200, 200, 401, 401, 401, 401, 401, 200]


def test_paths_are_open_below_a_prefix() -> None:
    async def use(client: Client) -> list[int]:
        paths = ("/pombo/-/healthy", "/pombo/metrics", "/-/healthy", "/")
        return [(await client.get(path, allow_redirects=False)).status for path in paths]

    now = Now(WebConfig(users=USERS))
    found = visit(Served(base=Base("/pombo"), access=now.access), use)
    assert found == [200, 401, 401, 401]


def test_answer_without_a_password_asks_for_one() -> None:
    now = Now(WebConfig(users=USERS))
    for path in ("/metrics", "/api/v1/hosts"):
        [(response, text)] = ask(now, ("GET", path, {}))
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
        assert "basic_auth_users" in text
    assert json.loads(text) == {"error": "give a user of basic_auth_users, and the password"}


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic ", "Basic %", "Bearer YTpi", "Basic YQ==", "Basic /////w==", "Basic Ov8="],
)
def test_header_that_has_no_password_is_refused(header: str) -> None:
    now = Now(WebConfig(users=USERS))
    assert statuses(now, ("GET", "/metrics", {"Authorization": header})) == [401]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:b", ("a", b"b")),
        ("a:b:c", ("a", b"b:c")),
        (":", ("", b"")),
        ("é:ü", ("é", "ü".encode())),
    ],
)
def test_credentials_are_divided_at_the_first_colon(text: str, expected: Any) -> None:
    assert credentials(basic(text)["Authorization"]) == expected
    assert credentials(basic(text)["Authorization"].replace("Basic", "bASIC")) == expected


def test_users_are_those_of_the_configuration_of_the_moment() -> None:
    now = Now(WebConfig(users=USERS))
    assert statuses(now, ("GET", "/metrics", RIGHT)) == [200]
    now.config = WebConfig(users={"bob": USERS["alice"]})
    assert statuses(now, ("GET", "/metrics", RIGHT)) == [401]
    assert statuses(now, ("GET", "/metrics", basic("bob:secret"))) == [200]


def test_too_many_wrong_passwords_are_refused_with_the_time_to_wait() -> None:
    now = Now(WebConfig(users=USERS))
    guesses = [("GET", "/metrics", basic(f"alice:{number}")) for number in range(12)]
    assert statuses(now, *guesses) == [401] * 10 + [429] * 2
    [(response, _)] = ask(now, guesses[-1])
    assert response.headers["Retry-After"] == "6"
    assert now.counters.refused["passwords"] == 3
    now.seconds += 6
    assert statuses(now, guesses[-1]) == [401]


def test_headers_are_on_every_answer_and_replace_those_of_the_page() -> None:
    headers = {"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": "deny"}
    now = Now(WebConfig(headers=headers, users=USERS))
    requests = [("GET", path, RIGHT) for path in ("/", "/metrics", "/api/v1/hosts", "/x", "/api/x")]
    for response, _ in ask(now, *requests, ("GET", "/metrics", {})):
        for name, value in headers.items():
            assert response.headers.getall(name) == [value], response.url


def test_rate_limit_lets_a_burst_in_and_then_one_request_in_each_interval() -> None:
    now = Now(WebConfig(rate_limit=RateLimit(0.5, 3)))
    request: tuple[str, str, dict[str, str]] = ("GET", "/-/healthy", {})
    assert statuses(now, *[request] * 5) == [200, 200, 200, 429, 429]
    [(response, _)] = ask(now, request)
    assert response.headers["Retry-After"] == "1"
    assert now.counters.refused["rate_limit"] == 3
    now.seconds += 1
    assert statuses(now, *[request] * 3) == [200, 200, 429]
    now.config = WebConfig(rate_limit=RateLimit(0.5, 4))
    assert statuses(now, *[request] * 5) == [200] * 4 + [429]
    now.config = WebConfig()
    assert statuses(now, *[request] * 5) == [200] * 5


def test_handler_of_an_open_path_requires_a_password_for_some_requests() -> None:
    async def report(request: web.Request) -> web.Response:
        if await request.text() == "plain":
            require_password(request)
        return web.Response()

    async def main(config: WebConfig) -> list[int]:
        app = web.Application(middlewares=[Now(config).access.check])
        app.router.add_post("/report", report)
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            found = []
            for body in ("sealed", "plain"):
                for headers in ({}, RIGHT, WRONG):
                    response = await client.post("/report", data=body, headers=headers)
                    found.append(response.status)
            return found

    assert asyncio.run(main(WebConfig(users=USERS))) == [200, 200, 401, 401, 200, 401]
    assert asyncio.run(main(WebConfig())) == [200] * 6
