"""What a check asks of an exporter's API, and what it makes of answers, also of strange ones."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pombo_agent.check.api import Api, Knowledge, shown_address
from pombo_agent.servers import HttpOptions, Url
from pombo_cli.addresses import Address
from support.processes import free_port

NO_OPTIONS = HttpOptions()

NO_EXPORTER = "what answers is no exporter of Pombo"


class Answering:
    """A server that answers with what it is given: a status, a text, or an object as JSON."""

    def __init__(self, status: Any, host: Any) -> None:
        self.location = ""  # of a redirect
        self.drips = False  # a byte now and then, for ever
        self.closing = Event()
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                outer.headers.append(dict(self.headers.items()))
                found = status if self.path.endswith("/status") else host
                text = found if isinstance(found, str) else json.dumps(found)
                self.send_response(found if isinstance(found, int) else 200)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()
                self.wfile.write(text.encode())
                with suppress(OSError):  # the client has gone
                    while outer.drips:
                        self.wfile.write(b" ")
                        outer.closing.wait(0.02)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.drips = False
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


Serve = Callable[[Any, Any], Answering]


@pytest.fixture
def serve() -> Iterator[Serve]:
    opened: list[Answering] = []

    def start(status: Any, host: Any) -> Answering:
        opened.append(Answering(status, host))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def asked(server: Answering, name: str = "pi", options: HttpOptions = NO_OPTIONS) -> Knowledge:
    api = Api(Address("127.0.0.1", server.port), options)
    return api.ask(name, time.monotonic() + 10)


def refusal(reason: str, detail: str, start: bytes = b"", age: float = 1.0) -> dict[str, Any]:
    return {
        "reason": reason,
        "detail": detail,
        "address": "192.0.2.1",
        "count": 1,
        "last_age_seconds": age,
        "datagram_start": repr(start)[2:-1],
    }


def test_host_and_refusals_are_returned(serve: Serve) -> None:
    own = bytes(range(256)) * 2
    status = {
        "recent_refusals": [
            refusal("bad_seal", "x", own[:120]),
            refusal("conflict", "'pi' is the name of the agent at 192.0.2.9"),
            refusal("conflict", "'other' is the name of the agent at 192.0.2.9"),
            refusal("conflict", "'pi' is", age=61.0),
            {"reason": "broken"},
            "broken",
        ]
    }
    known = asked(serve(status, {"state": "live"}))
    assert known.fault == ""
    assert known.host == {"state": "live"}
    assert [each.reason for each in known.refusals] == ["bad_seal", "conflict"]
    assert known.conflict is not None
    assert known.conflict.detail.startswith("'pi'")
    found = known.refusal_of([b"another", own])
    assert found is not None
    assert found.reason == "bad_seal"
    assert known.refusal_of([own[1:]]) is None


def sealed(salt: bytes, name: bytes = b"pi", key: bytes = b"kid1\0") -> bytes:
    """Return a datagram with the form of a sealed one."""
    return b"\xb1" + key + (salt * 16)[:16] + bytes(12) + bytes((len(name),)) + name + salt * 90


@pytest.mark.parametrize("salt", [b"a", b"'", b'"', b"\\", b"\n"])
def test_probe_counts_as_refused_where_the_agent_of_the_same_key_is(
    serve: Serve, salt: bytes
) -> None:
    status = {"recent_refusals": [refusal("revoked", "x", sealed(salt + b"'")[:120])]}
    known = asked(serve(status, 404))
    found = known.refusal_of([sealed(b"b")])
    assert found is not None
    assert found.reason == "revoked"
    assert known.refusal_of([sealed(b"b", name=b"pj")]) is None
    assert known.refusal_of([sealed(b"b", key=b"kid2\0")]) is None


@pytest.mark.parametrize("text", ["' + b'", "\\", "'\"", "x" * 481, "\\N{BULLET}\u2022"])
def test_strange_start_of_a_datagram_is_of_none(serve: Serve, text: str) -> None:
    odd = {**refusal("revoked", "x"), "datagram_start": text}
    known = asked(serve({"recent_refusals": [odd, refusal("bad_seal", "y", b"own")]}, 404))
    assert known.refusal_of([b"other"]) is None
    assert known.refusal_of([b"own"]) is not None


def test_host_that_is_not_shown_is_none(serve: Serve) -> None:
    known = asked(serve({"recent_refusals": []}, 404))
    assert (known.fault, known.host) == ("", None)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (503, "503 Service Unavailable"),
        ("no JSON", NO_EXPORTER),
        ("[" * 100_000, NO_EXPORTER),
        ({}, NO_EXPORTER),
        ([], NO_EXPORTER),
        ({"recent_refusals": 1}, NO_EXPORTER),
    ],
)
def test_why_nothing_is_known_is_said(serve: Serve, status: Any, fault: str) -> None:
    assert asked(serve(status, {"state": "live"})).fault == fault


@pytest.mark.parametrize("age", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 400])
def test_number_that_no_exporter_has_is_not_taken(serve: Serve, age: str) -> None:
    """No such number is JSON, and `--format=json` would print it."""
    host = f'{{"state": "live", "last_seen_age_seconds": {age}}}'
    assert asked(serve({"recent_refusals": []}, host)).fault == NO_EXPORTER
    status = json.dumps({"recent_refusals": [refusal("conflict", "x", age=2.5)]})
    assert asked(serve(status.replace("2.5", age), 404)).fault == NO_EXPORTER


def test_long_texts_are_cut(serve: Serve) -> None:
    status = {"recent_refusals": [refusal("x" * 10_000, "x" * 10_000)]}
    [found] = asked(serve(status, 404)).refusals
    assert len(found.reason) <= 200
    assert len(found.detail) <= 1000
    assert len(shown_address("x" * 10_000)) <= 200
    assert asked(serve({"recent_refusals": []}, {"state": "x" * 10_000})).host is None


def test_answer_that_never_ends_is_not_waited_for(serve: Serve) -> None:
    server = serve({"recent_refusals": []}, 404)
    server.drips = True
    api = Api(Address("127.0.0.1", server.port), NO_OPTIONS)
    assert api.ask("pi", time.monotonic() + 0.5).fault == "no answer in time"


def test_nobody_is_there() -> None:
    api = Api(Address("127.0.0.1", free_port()), NO_OPTIONS)
    assert api.ask("pi", time.monotonic() + 5).fault == "Connection refused"
    assert api.ask("pi", time.monotonic()).fault == "no time was left to ask"


def test_api_is_below_the_url_of_reports() -> None:
    assert Api(Url("https", "a", 443, "/report"), NO_OPTIONS).url == "https://a:443"
    assert Api(Url("http", "a", 80, "/pombo/report"), NO_OPTIONS).url == "http://a:80/pombo"
    assert Api(Address("::1", 5005), NO_OPTIONS).url == "http://[::1]:5005"
    given = Api(Address("a", 5005), NO_OPTIONS, "https://b/pombo/")
    assert given.url == "https://b/pombo"


def test_password_is_for_servers_over_http_alone(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret")
    path.chmod(0o600)
    options = HttpOptions(username="u", password_file=str(path))
    server = serve({"recent_refusals": []}, 404)
    asked(server, options=options)
    assert all("Authorization" not in each for each in server.headers)
    url = Url("http", "127.0.0.1", server.port, "/report")
    Api(url, options).ask("pi", time.monotonic() + 10)
    assert server.headers[-1]["Authorization"].startswith("Basic ")


def test_password_that_is_asked_for_is_named_with_its_flags(serve: Serve) -> None:
    server = serve(401, 401)
    where = f"http://127.0.0.1:{server.port}"
    flags = "--http.username and --http.password-file"
    expected = f"401 it asks for a password: give --api={where} with {flags}"
    assert asked(server).fault == expected
    api = Api(Url("http", "127.0.0.1", server.port, "/report"), NO_OPTIONS)
    fault = api.ask("pi", time.monotonic() + 10).fault
    assert fault == f"401 it asks for a password: give {flags}"


def test_redirect_is_not_followed(serve: Serve) -> None:
    other = serve({"recent_refusals": []}, 404)
    server = serve(302, 302)
    server.location = f"http://127.0.0.1:{other.port}/api/v1/status"
    assert asked(server).fault == "302 Found"
    assert other.paths == []


def test_name_is_encoded_in_the_path(serve: Serve) -> None:
    server = serve({"recent_refusals": []}, 404)
    asked(server, name="a/b ü?")
    assert server.paths[-1].endswith("/api/v1/hosts/a%2Fb%20%C3%BC%3F")
