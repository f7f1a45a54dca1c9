"""Requests to real servers: what comes of them, in words without secrets."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path
from threading import Thread

import pytest
from pombo_exporter.notify.client import Client, Outcome
from pombo_exporter.notify.targets import target
from support.certificates import Authority
from support.forward_proxies import Proxy
from support.receivers import Answer, Receiver

WALL = 1_800_000_000.0
SECRET = "s3cret"


def send(url: str, method: str = "POST", body: bytes | None = b"{}") -> Outcome:
    """Send one request to a URL that has a secret behind it."""

    async def main() -> Outcome:
        client = Client(lambda: WALL)
        try:
            return await client.send(method, target(f"{url}/{SECRET}?key={SECRET}"), body)
        finally:
            await client.close()

    found = asyncio.run(main())
    assert SECRET not in str(found)
    assert "127.0.0.1" not in found.error
    return found


def tls(authority: Authority, **names: str) -> ssl.SSLContext:
    pair = authority.issue("receiver", **names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def answered(status: int, **headers: str) -> Outcome:
    with Receiver() as receiver:
        receiver.answer = lambda _: Answer(
            status, {k.replace("_", "-"): v for k, v in headers.items()}
        )
        found = send(receiver.url)
        assert len(receiver.requests) == 1
        return found


def test_body_and_headers_arrive() -> None:
    with Receiver() as receiver:
        url = receiver.url.replace("//", "//user:pass@")
        assert send(url, body=b'{"a":1}') == Outcome()
        assert send(url, "GET", None) == Outcome()
        post, get = receiver.requests
    assert (post.method, post.path, post.payload) == ("POST", f"/{SECRET}?key={SECRET}", {"a": 1})
    assert post.headers["Content-Type"] == "application/json"
    assert post.headers["Authorization"] == "Basic dXNlcjpwYXNz"
    assert post.headers["User-Agent"].startswith("pombo-exporter/")
    assert (get.method, get.body) == ("GET", b"")
    assert "Content-Type" not in get.headers


@pytest.mark.parametrize("status", [200, 202, 204])
def test_status_from_200_on_is_success(status: int) -> None:
    assert answered(status) == Outcome()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_client_errors_are_not_worth_another_try(status: int) -> None:
    may_be_long = status in (400, 413, 422)
    found = answered(status, Retry_After="5")
    assert found == Outcome(f"status {status}", may_be_long=may_be_long)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 599])
def test_errors_of_the_moment_are_worth_another_try(status: int) -> None:
    assert answered(status) == Outcome(f"status {status}", may_retry=True)


LATER = dt.datetime.fromtimestamp(WALL + 90, dt.UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17.0),
        (format_datetime(LATER, usegmt=True), 90.0),
        (format_datetime(LATER - dt.timedelta(days=1), usegmt=True), 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("9" * 400, 999_999_999.0),
        ("²", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert answered(429, Retry_After=text).retry_after == seconds


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with Receiver() as other, Receiver() as receiver:
        receiver.answer = lambda _: Answer(status, {"Location": other.url})
        found = send(receiver.url)
        assert found == Outcome(f"status {status}: it redirects, which is not followed")
        assert other.requests == []


def test_nothing_that_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = send(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert found == Outcome("it cannot be connected: Connection refused", may_retry=True)


def test_name_that_does_not_exist() -> None:
    found = send("http://name.invalid")
    assert found == Outcome("its name cannot be resolved", may_retry=True)


@contextmanager
def raw(answer: bytes) -> Iterator[str]:
    """Serve these bytes to one client; yield the URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            try:
                client.sendall(answer)
            except OSError:
                return

    thread = Thread(target=run)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(30)
    listener.close()


def test_connection_that_is_closed_without_an_answer() -> None:
    with raw(b"") as url:
        found = send(url)
    assert found == Outcome("it closed the connection without an answer", may_retry=True)


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000,
        b"HTTP/1.1 200 " + b"x" * 10**6,
    ],
)
def test_answer_that_is_not_valid_http_or_too_long(answer: bytes) -> None:
    with raw(answer) as url:
        found = send(url)
    assert found.may_retry
    assert found.error.startswith("no valid answer")


def test_certificate_of_an_unknown_authority_is_not_accepted(tmp_path: Path) -> None:
    with Receiver(tls(Authority(tmp_path), ip="127.0.0.1")) as receiver:
        found = send(receiver.url)
        assert receiver.requests == []
    assert found.may_retry
    assert found.error == "its certificate is not accepted: unable to get local issuer certificate"


def test_server_without_tls_at_a_url_of_https() -> None:
    with Receiver() as receiver:
        found = send(receiver.url.replace("http:", "https:"))
    assert found.may_retry
    assert found.error.startswith("TLS fails: ")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, Receiver]]:
    """Return a proxy that the environment has for all URLs, and a receiver behind it."""
    with Receiver() as receiver:
        proxy = Proxy({f"there:{receiver.port}": receiver.port})
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", f"//user:{SECRET}@"))
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", f"//user:{SECRET}@"))
        yield proxy, receiver
        proxy.close()


def test_proxy_of_the_environment_is_used(proxy: tuple[Proxy, Receiver]) -> None:
    through, receiver = proxy
    assert send(f"http://there:{receiver.port}") == Outcome()
    assert through.asked == [f"POST http://there:{receiver.port}/{SECRET}?key={SECRET} HTTP/1.1"]
    assert receiver.requests[0].headers["Proxy-Authorization"].startswith("Basic ")


def test_proxy_is_asked_for_a_tunnel_to_a_url_of_https(proxy: tuple[Proxy, Receiver]) -> None:
    through, receiver = proxy
    found = send(f"https://there:{receiver.port}")
    assert found.error.startswith("TLS fails: ")
    assert through.asked == [f"CONNECT there:{receiver.port} HTTP/1.1"]


def test_no_proxy_is_obeyed(proxy: tuple[Proxy, Receiver], monkeypatch: pytest.MonkeyPatch) -> None:
    through, receiver = proxy
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert send(receiver.url) == Outcome()
    assert through.asked == []


def test_proxy_that_is_not_there_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{unused.getsockname()[1]}")
        found = send("http://there")
    assert found == Outcome("the proxy cannot be connected: Connection refused", may_retry=True)
