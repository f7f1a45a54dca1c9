"""Reports over HTTP on real sockets, to servers that answer, refuse, hang and end."""

import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.x509 import DNSName
from pombo_agent.servers import HttpOptions, Url
from pombo_agent.transport.crypto import CRYPTO
from pombo_agent.transport.dialogue import LEAST_TIMEOUT_SECONDS, Dialogue
from pombo_agent.transport.http import MOST_WAIT_SECONDS, HttpSender, Timing
from pombo_cli.addresses import Address
from pombo_cli.logs import LimitedLogger
from pombo_wire.framing import FRAMED, MAX_DATAGRAMS, framed, unframed
from pombo_wire.keys import derived, new_fleet_key
from pombo_wire.sealing import (
    ACCEPTED,
    CONFLICT,
    Acknowledgement,
    acknowledgement,
    envelope,
    opened,
)
from support.certificates import Authority
from support.forward_proxies import Proxy
from support.fronts import Behaviour, Front, answers, drops, hangs, server_tls, takes
from support.pages import wait_until
from support.processes import free_port

SECONDS = 20.0  # an interval with which requests may take 10 seconds

KEY = derived(CRYPTO, new_fleet_key(CRYPTO), 0, "pi")
ANSWERS, AGAIN = "exporter answers", "exporter answers again"
NUMBERS = itertools.count()
SILENT, REFUSES, LOST = "exporter does not answer", "exporter refuses reports", "report lost"


class Clock:
    """The monotonic clock, which a test may advance."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Lines(logging.Handler):
    """The lines of a log, each a message and its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append((record.getMessage(), record.__dict__["fields"]))

    @property
    def messages(self) -> list[str]:
        return [message for message, _ in self.found]

    def cause(self, message: str) -> str:
        """Return the cause of a line, once it is there."""
        wait_until(lambda: self.messages, lambda found: message in found, f"the line {message!r}")
        cause: str = next(fields.get("cause", "") for each, fields in self.found if each == message)
        return cause


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def serve() -> Iterator[Callable[..., Front]]:
    opened: list[Front] = []

    def start(behaviour: Behaviour = takes, **options: Any) -> Front:
        opened.append(Front(behaviour, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


Serve = Callable[..., Front]
Make = Callable[..., HttpSender]


@pytest.fixture
def make(lines: Lines) -> Iterator[Make]:
    made: list[HttpSender] = []
    # A logger of its own: the thread of a sender that another test has closed may still write.
    logger = logging.getLogger(f"pombo_agent.tests.http.{next(NUMBERS)}")
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)

    def make_sender(
        url: Url,
        options: HttpOptions | None = None,
        dialogue: Dialogue | None = None,
        *,
        quiet: bool = False,
        **timing: Any,
    ) -> HttpSender:
        log = LimitedLogger(logger, every=0)
        found = Timing(**{"interval": SECONDS, **timing})
        asks = dialogue is not None
        made.append(
            HttpSender(url, options or HttpOptions(), log, found, dialogue, asks=asks, quiet=quiet)
        )
        return made[-1]

    yield make_sender
    for each in made:
        each.close()


def url_of(front: Front, path: str = "/report", proxy: Address | None = None) -> Url:
    return Url(front.url.partition(":")[0], "127.0.0.1", front.port, path, proxy)


def deliver(sending: HttpSender, front: Front, lines: Lines, *datagrams: bytes) -> list[bytes]:
    """Send a report, again as long as the one before is under way, and return what arrives."""
    before = len(front.requests)

    def is_handed_over() -> bool:
        lost = lines.messages.count(LOST)
        sending.send(datagrams)
        return lines.messages.count(LOST) == lost

    wait_until(is_handed_over, bool, "the report before")
    return wait_until(lambda: front.requests[before:], bool, "the request")[0]


def becomes_heard(sending: HttpSender) -> None:
    wait_until(lambda: sending.is_heard, lambda found: found is True, "the server to hear")


def becomes_unheard(sending: HttpSender) -> None:
    wait_until(lambda: sending.is_heard, lambda found: found is False, "the server not to hear")


# --- what is sent ---


def test_reports_go_in_their_order_over_one_connection(
    serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve()
    sending = make(url_of(front))
    assert sending.is_heard is None
    for number in range(5):
        deliver(sending, front, lines, b"%d" % number, b"more")
    assert front.requests == [[b"%d" % number, b"more"] for number in range(5)]
    assert len(front.connections) == 1
    becomes_heard(sending)
    assert lines.messages.count(ANSWERS) == 1
    assert SILENT not in lines.messages
    for name, value in (
        ("Host", f"127.0.0.1:{front.port}"),
        ("Content-Type", "application/vnd.pombo.report"),
    ):
        assert {each[name] for each in front.headers} == {value}
    assert all("Authorization" not in each for each in front.headers)


def test_long_report_takes_several_requests(serve: Serve, make: Make) -> None:
    front = serve()
    datagrams = [b"%d" % number for number in range(MAX_DATAGRAMS + 1)]
    make(url_of(front)).send(datagrams)
    wait_until(lambda: len(front.requests), lambda count: count == 2, "both requests")
    assert [*map(len, front.requests)] == [MAX_DATAGRAMS, 1]
    assert front.datagrams == datagrams


def test_byes_are_sent_before_the_end(serve: Serve, make: Make) -> None:
    front = serve()
    sending = make(url_of(front))
    sending.send([b"report"])
    for number in range(3):
        sending.send_known([b"bye %d" % number])
    sending.close()
    assert front.datagrams == [b"report", b"bye 0", b"bye 1", b"bye 2"]


def test_report_after_a_bye_is_sent(serve: Serve, make: Make) -> None:
    front = serve()
    sending = make(url_of(front))
    sending.send_known([b"bye"])
    sending.send([b"other name"])
    wait_until(lambda: front.datagrams, lambda found: len(found) == 2, "both")
    assert front.datagrams == [b"bye", b"other name"]


def test_path_password_and_certificate_are_those_of_the_flags(
    tmp_path: Path, serve: Serve, make: Make, lines: Lines
) -> None:
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    server = authority.issue("server", ip="127.0.0.1")
    client = clients.issue("client")
    password = tmp_path / "password"
    for path, text in ((password, "s3cret:\u00e4\n"), (client.key, client.key.read_text())):
        path.write_text(text, "utf-8")
        path.chmod(0o600)
    tls = server_tls(server.certificate, server.key, clients.path)
    front = serve(tls=tls, password="pi:s3cret:\u00e4")
    options = HttpOptions(
        ca_file=str(authority.path),
        cert_file=str(client.certificate),
        key_file=str(client.key),
        username="pi",
        password_file=str(password),
    )
    sending = make(url_of(front, "/a/%7Bb%7D/{c}"), options)
    deliver(sending, front, lines, b"1")
    becomes_heard(sending)
    assert front.paths == ["/a/%7Bb%7D/{c}"]
    without = make(url_of(front), options._replace(cert_file="", key_file=""))
    without.send([b"2"])
    becomes_unheard(without)
    assert front.requests == [[b"1"]]


def test_changed_files_are_read_for_the_next_connection(
    tmp_path: Path, serve: Serve, make: Make, lines: Lines
) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    pair = new.issue("server", ip="127.0.0.1")
    front = serve(tls=server_tls(pair.certificate, pair.key), password="pi:new")
    password, ca = tmp_path / "password", tmp_path / "ca"
    password.write_text("old", "utf-8")
    password.chmod(0o600)
    ca.write_bytes(old.path.read_bytes())
    options = HttpOptions(ca_file=str(ca), username="pi", password_file=str(password))
    sending = make(url_of(front), options)
    sending.send([b"1"])
    becomes_unheard(sending)
    assert "certificate" in lines.cause(SILENT)
    assert "--http.ca-file" in lines.cause(SILENT)
    ca.write_bytes(new.path.read_bytes())
    deliver(sending, front, lines, b"2")
    password.write_text("new", "utf-8")
    deliver(sending, front, lines, b"3")
    becomes_heard(sending)
    assert front.requests == [[b"2"], [b"3"]]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_certificate_of_another_name_is_refused_unless_that_is_to_be_skipped(
    name: str, tmp_path: Path, serve: Serve, make: Make, lines: Lines
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server", ip="127.0.0.2")
    front = serve(tls=server_tls(pair.certificate, pair.key))
    url = url_of(front)._replace(host=name)
    options = HttpOptions(ca_file=str(authority.path))
    sending = make(url, options)
    sending.send([b"1"])
    becomes_unheard(sending)
    assert name in lines.cause(SILENT)
    assert front.requests == []
    skipping = make(url, options._replace(insecure_skip_verify=True))
    deliver(skipping, front, lines, b"2")
    becomes_heard(skipping)


def test_proxy_connects_with_a_name_that_only_it_knows(
    tmp_path: Path, serve: Serve, make: Make, lines: Lines
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("exporter.test", DNSName("exporter.test"))
    front = serve(tls=server_tls(pair.certificate, pair.key))
    proxy = Proxy({"exporter.test:8443": front.port})
    options = HttpOptions(ca_file=str(authority.path))
    where = Address("127.0.0.1", proxy.port)
    sending = make(Url("https", "exporter.test", 8443, "/report", where), options)
    for number in range(3):
        deliver(sending, front, lines, b"%d" % number)
    becomes_heard(sending)
    assert proxy.asked == ["CONNECT exporter.test:8443 HTTP/1.1"]
    assert {each["Host"] for each in front.headers} == {"exporter.test:8443"}
    sending.close()
    proxy.close()


def test_proxy_gets_whole_urls_of_requests_without_tls(
    serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve()
    proxy = Proxy({"exporter.test:80": front.port})
    where = Address("127.0.0.1", proxy.port)
    sending = make(Url("http", "exporter.test", 80, "/report", where))
    deliver(sending, front, lines, b"1")
    becomes_heard(sending)
    assert proxy.asked == ["POST http://exporter.test:80/report HTTP/1.1"]
    assert front.headers[0]["Host"] == "exporter.test", "without the port that is the default"
    sending.close()
    proxy.close()


def test_refusal_of_a_proxy_is_the_cause(make: Make, lines: Lines) -> None:
    proxy = Proxy({}, status="407 Proxy Authentication Required")
    where = Address("127.0.0.1", proxy.port)
    sending = make(Url("https", "exporter.test", 443, "/report", where))
    sending.send([b"1"])
    becomes_unheard(sending)
    assert "answers 407 Proxy Authentication Required: " in lines.cause(SILENT)
    sending.close()
    proxy.close()


# --- servers that fail ---


def test_server_that_starts_later_and_ends_is_heard_of_once_each_time(
    serve: Serve, make: Make, lines: Lines
) -> None:
    port = free_port()
    sending = make(Url("http", "127.0.0.1", port, "/report"))

    def sent() -> bool | None:
        sending.send([b"x"])
        return sending.is_heard

    for _ in range(2):
        wait_until(sent, lambda heard: heard is False, "the server not to hear")
        front = serve(port=port)
        wait_until(sent, bool, "the server to hear")
        front.close()
    shown = [message for message in lines.messages if message != LOST]
    assert shown[:4] == [SILENT, ANSWERS, SILENT, AGAIN]
    assert lines.cause(SILENT) == "Connection refused"


def test_body_whose_answer_is_lost_is_never_sent_again(
    serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve(drops)
    sending = make(url_of(front))
    for number in range(5):
        deliver(sending, front, lines, b"%d" % number)
    front.behaviour = takes
    deliver(sending, front, lines, b"5")
    assert front.requests == [[b"%d" % number] for number in range(6)]
    becomes_heard(sending)
    assert [message for message in lines.messages if message != LOST] == [SILENT, ANSWERS]


def test_connection_that_the_server_has_closed_loses_no_report(
    serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve(answers(200, b"", Connection="close", Content_Type=FRAMED))
    sending = make(url_of(front))
    for number in range(4):
        deliver(sending, front, lines, b"%d" % number)
    becomes_heard(sending)
    front.behaviour = takes
    deliver(sending, front, lines, b"kept")
    front.close_idle()
    deliver(sending, front, lines, b"again")
    assert len(front.requests) == 6
    assert SILENT not in lines.messages


def test_report_waits_for_no_server_and_is_lost_while_the_one_before_is_under_way(
    serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve(hangs)
    sending = make(url_of(front), interval=0.5)  # a request may take 2 seconds
    deliver(sending, front, lines, b"hangs")
    began = time.monotonic()
    for number in range(10):
        sending.send([b"lost %d" % number])
    assert time.monotonic() - began < 1, "ten reports, of which each waits for nothing"
    assert lines.messages == [LOST] * 10
    assert lines.cause(LOST) == "the report before is still under way"
    becomes_unheard(sending)
    assert lines.cause(SILENT) == "no answer in time"
    front.behaviour = takes
    deliver(sending, front, lines, b"arrives")
    assert front.requests == [[b"hangs"], [b"arrives"]]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: 1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=["headers", "body", "continue"],
)
def test_server_that_goes_on_answering_slowly_takes_no_longer(
    answer: bytes, make: Make, lines: Lines
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def trickle() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(answer)
                while not ended.wait(0.05):
                    try:
                        client.sendall(answer if b"Continue" in answer else b"a")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        sending = make(Url("http", "127.0.0.1", listener.getsockname()[1], "/"), interval=0.5)
        sending.send([b"x"])
        becomes_unheard(sending)
        assert lines.cause(SILENT) == "no answer in time"
        ended.set()
        thread.join(30)


@pytest.mark.parametrize("behaviour", [hangs, drops])
def test_agent_ends_in_time_whatever_the_server_does(
    behaviour: Behaviour, serve: Serve, make: Make, lines: Lines
) -> None:
    fronts = [serve(behaviour), serve(behaviour)]
    senders = [make(url_of(front)) for front in fronts]
    for sending, front in zip(senders, fronts, strict=True):
        deliver(sending, front, lines, b"report")
    began = time.monotonic()
    for number in range(3):
        for sending in senders:
            sending.send_known([b"bye %d" % number])
    for sending in senders:
        sending.close()
    assert time.monotonic() - began < 2.8, "two seconds, and some time for a busy machine"
    for front in fronts:
        assert b"bye 0" in front.datagrams, "over another connection"


def test_sender_without_a_bye_waits_for_nothing_when_it_is_closed(
    serve: Serve, make: Make, lines: Lines
) -> None:
    fronts = [serve(hangs) for _ in range(10)]
    senders = [make(url_of(front)) for front in fronts]
    for sending, front in zip(senders, fronts, strict=True):
        deliver(sending, front, lines, b"probe")
    began = time.monotonic()
    for sending in senders:
        sending.close()
    assert time.monotonic() - began < 1
    assert lines.messages == []


def test_lost_report_is_named_when_no_thread_can_be_started(
    serve: Serve, make: Make, lines: Lines
) -> None:
    calls: list[Callable[[], None]] = []

    def start(work: Callable[[], None]) -> None:
        calls.append(work)
        if len(calls) < 3:
            raise RuntimeError("can't start new thread")
        threading.Thread(target=work).start()

    front = serve()
    sending = make(url_of(front), start=start)
    for number in range(3):
        sending.send([b"%d" % number])
    becomes_heard(sending)
    assert front.requests == [[b"2"]]
    assert lines.messages[:2] == [LOST, LOST]
    assert lines.cause(LOST) == "can't start new thread"


# --- servers that refuse ---


@pytest.mark.parametrize(
    ("status", "headers", "cause"),
    [
        (401, {}, "401 Unauthorized: check --http.username and --http.password-file"),
        (404, {}, "404 Not Found: check the path of --server"),
        (500, {}, "500 Internal Server Error: the database is gone"),
        (307, {"Location": "http://127.0.0.1:1/"}, "307 Temporary Redirect: a redirect is not"),
        (
            200,
            {"Content-Type": "text/html"},
            "the answer is not from an exporter: its type is text/html",
        ),
    ],
)
def test_what_an_answer_means_is_the_cause(  # noqa: PLR0913, PLR0917 - what is answered
    status: int, headers: dict[str, str], cause: str, serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve(answers(status, b"the database is gone", **headers))
    sending = make(url_of(front))
    for number in range(3):
        deliver(sending, front, lines, b"%d" % number)
    becomes_unheard(sending)
    message = SILENT if status == 200 else REFUSES
    assert lines.cause(message).startswith(cause)
    assert [each for each in lines.messages if each != LOST] == [message]


@pytest.mark.parametrize("status", [429, 503])
def test_server_that_asks_to_wait_gets_no_report_until_then(
    status: int, serve: Serve, make: Make, lines: Lines
) -> None:
    clock = Clock()
    front = serve(answers(status, Retry_After="30"))
    sending = make(url_of(front), clock=clock)
    deliver(sending, front, lines, b"refused")
    becomes_unheard(sending)
    front.behaviour = takes
    clock.ahead = 25
    sending.send([b"lost"])
    assert lines.found[-1][0] == LOST
    assert lines.cause(LOST) == "the server has asked to wait"
    clock.ahead = 31
    deliver(sending, front, lines, b"arrives")
    assert front.requests == [[b"refused"], [b"arrives"]]
    becomes_heard(sending)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("86400", MOST_WAIT_SECONDS),
        ("9" * 400, MOST_WAIT_SECONDS),
        ("-1", 1),
        ("Fri, 31 Dec 2099 23:59:59 GMT", 1),
        ("\u0661", 1),
        ("", 1),
    ],
)
def test_time_to_wait_is_bounded(
    retry_after: str, seconds: float, serve: Serve, make: Make, lines: Lines
) -> None:
    clock = Clock()
    front = serve(answers(503, Retry_After=retry_after))
    sending = make(url_of(front), clock=clock)
    deliver(sending, front, lines, b"refused")
    becomes_unheard(sending)
    clock.ahead = seconds + 0.1
    sending.send([b"arrives"])
    wait_until(lambda: len(front.requests), lambda count: count == 2, "the next report")
    assert LOST not in lines.messages


def test_refused_report_is_named_with_its_reason_and_the_server_is_heard(
    serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve()
    sending = make(url_of(front))
    deliver(sending, front, lines, b"1")
    becomes_heard(sending)
    front.behaviour = answers(422, b'{"reason":"conflict","detail":"a \\"b\\""}')
    deliver(sending, front, lines, b"2")
    assert lines.cause(REFUSES) == "conflict"
    assert lines.found[-1][1]["detail"] == 'a "b"'
    front.behaviour = answers(422, b"[]")
    deliver(sending, front, lines, b"3")
    wait_until(lambda: lines.messages.count(REFUSES), lambda count: count == 2, "the other one")
    assert sending.is_heard is True


# --- sealed ---


class Acknowledging:
    """Acknowledges sealed datagrams as an exporter does."""

    challenge = b"12345678"

    def __init__(self, flags: int = ACCEPTED) -> None:
        self.flags = flags
        self.shown: list[bytes] = []  # the challenges of what arrived
        self.numbers: list[int] = []

    async def __call__(self, _: Front, __: web.Request, body: bytes) -> web.StreamResponse:
        found = []
        for datagram in unframed(body):
            outer = envelope(datagram)
            self.numbers.append(outer.seq)
            inner = opened(CRYPTO, KEY.key, outer)
            self.shown.append(inner.challenge)
            if inner.flags:
                address = bytes(10) + b"\xff\xff\xc0\0\2\1"
                answer = Acknowledgement(outer.seq, self.challenge, 0, address, 7, self.flags)
                found.append(acknowledgement(CRYPTO, KEY.key, outer.salt, answer))
        return web.Response(body=framed(found), content_type=FRAMED)


def report() -> bytes:
    return b'{"session":1}'


def test_acknowledgement_in_the_answer_proves_that_the_agent_is_heard(
    serve: Serve, make: Make, lines: Lines
) -> None:
    behaviour = Acknowledging()
    front = serve(behaviour)
    sending = make(url_of(front), dialogue=Dialogue(CRYPTO, KEY, SECONDS))
    for _ in range(3):
        deliver(sending, front, lines, report())
        becomes_heard(sending)
    assert lines.messages[0] == ANSWERS
    assert lines.found[0][1]["heard_from"] == "192.0.2.1:7"
    assert behaviour.shown == [bytes(8), behaviour.challenge, behaviour.challenge]


def test_report_that_is_lost_has_its_numbers(serve: Serve, make: Make, lines: Lines) -> None:
    behaviour = Acknowledging()
    front = serve(hangs)
    sending = make(url_of(front), dialogue=Dialogue(CRYPTO, KEY, SECONDS), interval=0.5)
    sending.send([report(), report()])
    wait_until(lambda: front.requests, bool, "the request")
    for _ in range(3):
        sending.send([report()])
    becomes_unheard(sending)
    front.behaviour = behaviour
    lost = lines.messages.count(LOST)
    deliver(sending, front, lines, report())
    assert behaviour.numbers == [2 + lines.messages.count(LOST)]
    assert lost == 3
    becomes_heard(sending)


def test_server_that_takes_reports_and_acknowledges_none_is_not_heard(
    serve: Serve, make: Make, lines: Lines
) -> None:
    clock = Clock()
    front = serve(takes)
    sending = make(url_of(front), dialogue=Dialogue(CRYPTO, KEY, 0.5, clock), clock=clock)
    deliver(sending, front, lines, report())
    assert sending.is_heard is None
    clock.ahead = LEAST_TIMEOUT_SECONDS + 1
    deliver(sending, front, lines, report())
    becomes_unheard(sending)
    assert lines.cause(SILENT).startswith("no acknowledgement: check that it has the key")
    front.behaviour = Acknowledging()
    deliver(sending, front, lines, report())
    becomes_heard(sending)
    assert lines.messages[-1] == ANSWERS


def test_conflict_is_named(serve: Serve, make: Make, lines: Lines) -> None:
    clock = Clock()
    front = serve(Acknowledging(CONFLICT))
    sending = make(url_of(front), dialogue=Dialogue(CRYPTO, KEY, SECONDS, clock))
    clock.ahead = 3 * SECONDS  # else it may be this agent itself, under a salt before
    deliver(sending, front, lines, report())
    assert lines.cause("another agent reports under this name") == ""
    [fields] = [each for message, each in lines.found if message.startswith("another agent")]
    assert "a key of its own" in fields["remedy"]


def test_server_that_is_left_is_not_known_to_hear_and_gets_another_connection(
    serve: Serve, make: Make, lines: Lines
) -> None:
    behaviour = Acknowledging()
    front = serve(behaviour)
    sending = make(url_of(front), dialogue=Dialogue(CRYPTO, KEY, SECONDS))
    deliver(sending, front, lines, report())
    becomes_heard(sending)
    sending.leave()
    assert sending.is_heard is None
    deliver(sending, front, lines, report())
    becomes_heard(sending)
    assert behaviour.numbers == [0, 1]
    sending.renew()
    deliver(sending, front, lines, report())
    becomes_heard(sending)
    assert behaviour.numbers == [0, 1, 0], "under another salt"
    assert len(front.connections) == 3


def test_request_of_a_connection_that_may_be_dead_ends_when_it_is_renewed(
    serve: Serve, make: Make, lines: Lines
) -> None:
    front = serve(hangs)
    sending = make(url_of(front), dialogue=Dialogue(CRYPTO, KEY, SECONDS))
    deliver(sending, front, lines, report())
    front.behaviour = Acknowledging()
    sending.renew()
    assert sending.is_heard is None
    deliver(sending, front, lines, report())
    becomes_heard(sending)
    assert [message for message in lines.messages if message != LOST] == [ANSWERS]


def test_bye_arrives_before_the_salt_is_renewed(serve: Serve, make: Make, lines: Lines) -> None:
    behaviour = Acknowledging()
    front = serve(behaviour)
    sending = make(url_of(front), dialogue=Dialogue(CRYPTO, KEY, SECONDS))
    deliver(sending, front, lines, report())
    becomes_heard(sending)
    sending.send_known([report(), report()])
    sending.renew()
    wait_until(lambda: behaviour.numbers, lambda found: found == [0, 1, 2], "both byes")
    assert len(front.datagrams) == 3


def test_quiet_sender_logs_nothing(serve: Serve, make: Make, lines: Lines) -> None:
    front = serve(answers(503))
    sending = make(url_of(front), quiet=True)
    sending.send([b"refused"])
    becomes_unheard(sending)
    sending.send([b"lost"])
    assert lines.messages == []
