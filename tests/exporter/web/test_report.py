"""Reports over HTTP: what is taken, refused and answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestServer
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.web.report import MAX_POSTS, ReportEndpoint
from pombo_wire import MAX_DATAGRAM_BYTES, Report, encode
from pombo_wire.framing import FRAMED, MAX_BODY_BYTES, MAX_DATAGRAMS, PLAIN, framed, unframed
from pombo_wire.keys import derived, new_fleet_key
from pombo_wire.packing import pack
from pombo_wire.sealing import ACCEPTED, PROBE, WANTS_ANSWER, Sealer
from support.builders import ADDRESS
from support.served import Client, Served, get, visit

FLEET = new_fleet_key(CRYPTO)
DOCUMENT = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())

#: The answers to reports as docs/openapi.json describes them, by status.
ANSWERS = DOCUMENT["paths"]["/report"]["post"]["responses"]

GAUGE = b'{"host":"pi","gauges":{"x":1}}'
POST = b"POST /report HTTP/1.1\r\nHost: x\r\n"


def post(
    served: Served, body: bytes, content_type: str | None = FRAMED, **headers: str
) -> tuple[ClientResponse, bytes]:
    """Return the response to a report and its body; ``_`` in a header's name is ``-``."""

    async def use(client: Client) -> tuple[ClientResponse, bytes]:
        return await sent(client, body, content_type, **headers)

    answer: tuple[ClientResponse, bytes] = visit(served, use)
    return answer


def posted(served: Served, *bodies: tuple[bytes, str]) -> list[tuple[int, bytes]]:
    """Return the status and the body of the answer to each report, of a body and its type."""

    async def use(client: Client) -> list[tuple[int, bytes]]:
        found = [await sent(client, body, content_type) for body, content_type in bodies]
        return [(response.status, answer) for response, answer in found]

    answers: list[tuple[int, bytes]] = visit(served, use)
    return answers


async def sent(
    client: Client, body: Any, content_type: str | None = FRAMED, **headers: str
) -> tuple[ClientResponse, bytes]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        given["Content-Type"] = content_type
    response = await client.post(
        "/report", data=body, headers=given, skip_auto_headers=["Content-Type"]
    )
    described = ANSWERS[str(response.status)]
    assert response.content_type in described["content"]
    return response, await response.read()


def refused(served: Served) -> dict[str, int]:
    return {reason: count for reason, count in served.intake.refused.items() if count}


def requests(served: Served) -> dict[int, int]:
    """Return how many requests had which status."""
    found = served.counters.report_requests()
    return {status: count for status, count in found.items() if count}


def sealer(name: str = "pi") -> Sealer:
    key = derived(CRYPTO, FLEET, 0, name)
    return Sealer(CRYPTO, key.kid, 0, key.key, name.encode())


def names(served: Served) -> list[str]:
    return [host.name for host in served.exporter.roster.listed()]


# --- what is taken ---


@pytest.mark.parametrize("content_type", [PLAIN, "application/json; charset=utf-8"])
def test_plain_datagram_is_taken(content_type: str) -> None:
    served = Served()
    response, body = post(served, GAUGE, content_type)
    assert (response.status, response.content_type, body) == (200, FRAMED, b"")
    assert names(served) == ["pi"]
    assert served.intake.received == 1
    assert requests(served) == {200: 1}


def test_datagrams_of_every_unsealed_form_are_taken_together() -> None:
    served = Served()
    datagrams = [encode(Report("plain")), pack(Report("packed", gauges={"x": 1.0}))]
    response, body = post(served, framed(datagrams))
    assert (response.status, body) == (200, b"")
    assert names(served) == ["plain", "packed"]
    assert served.intake.received == 2


def test_sequence_numbers_count_as_over_udp() -> None:
    served = Served()
    session = int((served.exporter.wall - 1) * 1e9)
    datagrams = [
        encode(Report("pi", session=session, seq=seq, interval=60.0, gauges={"x": float(seq)}))
        for seq in (0, 1, 1, 3, 70)
    ]
    served.intake.take(datagrams[0], ADDRESS, monotonic(), 0.0)
    posted(served, (framed(datagrams[1:4]), FRAMED), (datagrams[4], PLAIN))
    sequence = served.exporter.host().sequence
    assert (sequence.received, sequence.duplicate) == (5, 1)
    assert sequence.lost > 0


def test_sealed_datagrams_are_acknowledged_in_the_answer() -> None:
    served = Served(fleet=FLEET)
    sealers = [sealer(name) for name in ("a", "b", "c")]
    body = framed(
        [
            sealers[0].seal(b'{"session":1,"gauges":{"x":1}}', flags=WANTS_ANSWER),
            sealers[1].seal(b'{"session":1}', flags=0),
            sealers[2].seal(b"{}", flags=WANTS_ANSWER | PROBE),
        ]
    )
    response, answer = post(served, body)
    assert (response.status, response.content_type) == (200, FRAMED)
    first, last = unframed(answer)
    found = sealers[0].acknowledgement(first)
    assert found is not None
    assert (found.seq, found.flags) == (0, ACCEPTED)
    assert found.address == bytes(10) + b"\xff\xff\x7f\0\0\1"
    assert found.port != 0
    assert sealers[2].acknowledgement(last) is not None
    assert names(served) == ["a", "b"]
    assert served.intake.acknowledgements == 2
    assert served.sent == []


def test_answer_to_refused_sealed_datagrams_has_no_acknowledgement_and_no_reason() -> None:
    served = Served(fleet=FLEET)
    sealed = sealer().seal(b'{"session":1}', flags=WANTS_ANSWER)
    forged = sealed[:-1] + bytes((sealed[-1] ^ 1,))
    bad = framed([forged, sealed[:90], b"\xb1none" + sealed[5:]])
    good = framed([sealed])
    found = posted(served, (bad, FRAMED), (good, FRAMED), (good, FRAMED))
    assert [status for status, _ in found] == [200, 200, 200]
    assert [len(body) for _, body in found] == [0, 72, 0]
    expected = {"bad_seal": 1, "malformed": 1, "unknown_key": 1, "replayed": 1}
    assert refused(served) == expected


def test_address_is_the_peers_whatever_headers_say() -> None:
    served = Served()
    body = framed([GAUGE, b"PING"])
    post(served, body, X_Forwarded_For="192.0.2.77", Forwarded="for=192.0.2.7")
    assert served.exporter.host().address[0] == "127.0.0.1"
    assert [each.address for each in served.intake.recent.newest_first()] == ["127.0.0.1"]


# --- what is refused ---


def test_refused_plain_datagram_is_answered_with_the_reason() -> None:
    served = Served()
    response, body = post(served, b'{"host":"pi","gauges":{"up":1}}', PLAIN)
    assert (response.status, response.content_type) == (422, PLAIN)
    answer = json.loads(body)
    assert answer.keys() == {"reason", "detail"}
    assert answer["reason"] == "reserved_name"
    assert "choose another" in answer["detail"]
    assert refused(served) == {"reserved_name": 1}
    assert requests(served) == {422: 1}


def test_other_datagrams_than_the_refused_ones_are_taken() -> None:
    served = Served()
    datagrams = [encode(Report("a")), b"PING", b"\xb0", encode(Report("b"))]
    response, body = post(served, framed(datagrams))
    assert response.status == 422
    assert json.loads(body)["reason"] == "unknown_form"
    assert names(served) == ["a", "b"]
    assert refused(served) == {"unknown_form": 1, "unknown_dictionary": 1}


@pytest.mark.parametrize("content_type", [PLAIN, FRAMED])
@pytest.mark.parametrize("size", [MAX_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES + 1, 40_000])
def test_datagram_has_the_same_bound_as_over_udp(content_type: str, size: int) -> None:
    served = Served()
    datagram = GAUGE.ljust(size)
    response, body = post(
        served, datagram if content_type == PLAIN else framed([datagram]), content_type
    )
    if size <= MAX_DATAGRAM_BYTES:
        assert response.status == 200
    else:
        assert response.status == 422
        assert json.loads(body)["reason"] == "too_large"
        assert refused(served) == {"too_large": 1}


def test_unsealed_datagrams_are_refused_where_a_seal_is_required() -> None:
    served = Served(fleet=FLEET, require_sealed=True)
    sealed = framed([sealer().seal(b'{"session":1}')])
    packed = framed([pack(Report("a"))])
    *without, (last, _) = posted(served, (GAUGE, PLAIN), (packed, FRAMED), (sealed, FRAMED))
    assert [status for status, _ in without] == [422, 422]
    assert [json.loads(answer)["reason"] for _, answer in without] == ["not_sealed"] * 2
    assert last == 200
    assert names(served) == ["pi"]


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"\0\5abc", framed([b"a"] * (MAX_DATAGRAMS + 1)), GAUGE],
    ids=["empty", "half a length", "too short", "too many", "plain"],
)
def test_wrong_framing_is_400_and_nothing_is_taken(body: bytes) -> None:
    served = Served()
    response, _ = post(served, body)
    assert response.status == 400
    assert served.intake.received == 0


@pytest.mark.parametrize(
    "form", [pack(Report("pi")), sealer().seal(b'{"session":1}')], ids=["packed", "sealed"]
)
def test_only_a_plain_datagram_is_json(form: bytes) -> None:
    served = Served(fleet=FLEET)
    response, body = post(served, form, PLAIN)
    assert response.status == 400
    assert FRAMED.encode() in body
    assert served.intake.received == 0


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", ""],
)
def test_other_types_are_415(content_type: str | None) -> None:
    served = Served()
    response, body = post(served, GAUGE, content_type)
    assert response.status == 415
    assert PLAIN.encode() in body
    assert served.intake.received == 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", "unknown"])
def test_compressed_body_is_415(encoding: str) -> None:
    served = Served()
    response, _ = post(served, GAUGE, PLAIN, Content_Encoding=encoding)
    assert response.status == 415
    assert served.intake.received == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:5005"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://example.org"},
    ],
)
def test_no_web_page_may_report(headers: dict[str, str]) -> None:
    served = Served()
    response, _ = post(served, GAUGE, PLAIN, **headers)
    assert response.status == 403
    assert "Access-Control-Allow-Origin" not in response.headers
    assert served.intake.received == 0
    preflight, _ = get(Served(), "/report", "OPTIONS", Origin="https://example.org")
    assert "POST" in preflight.headers["Allow"]
    assert "Access-Control-Allow-Origin" not in preflight.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_report_is_a_post(method: str) -> None:
    response, _ = get(Served(), "/report", method)
    assert response.status == 405
    assert response.headers["Allow"] == "POST"


# --- limits ---


@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_of_64_kib_is_read_and_a_longer_one_is_413(is_chunked: bool) -> None:  # noqa: FBT001
    async def chunks(body: bytes) -> Any:
        for at in range(0, len(body), 8192):
            yield body[at : at + 8192]

    async def use(client: Client) -> list[int]:
        found = []
        for size in (MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 2**20):
            body = GAUGE.ljust(size)
            response, _ = await sent(client, chunks(body) if is_chunked else body, PLAIN)
            found.append(response.status)
        return found

    served = Served()
    assert visit(served, use) == [422, 413, 413]
    assert served.intake.received == 1


def test_address_that_sends_too_many_requests_is_told_when_to_go_on() -> None:
    served = Served(posts_per_second=5)

    async def use(client: Client) -> list[ClientResponse]:
        return [(await sent(client, GAUGE, PLAIN))[0] for _ in range(100)]

    found = visit(served, use)
    assert [each.status for each in found[:5]] == [200] * 5
    late = [each for each in found if each.status == 429]
    assert len(late) > 50
    assert {each.headers["Retry-After"] for each in late} == {"1"}
    assert served.intake.received == sum(each.status == 200 for each in found)
    assert requests(served)[429] == len(late)


Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def half_sent(client: Client) -> Opened:
    """Return a connection with a report of which half the body was sent."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(POST + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    return reader, writer


async def status_of(opened: Opened) -> bytes:
    line = await opened[0].readline()
    return line.split(b" ")[1] if line else b""


def with_half_sent(
    count: int,
    use: Callable[[Client, list[Opened]], Awaitable[Any]],
    clock: Callable[[], float] = monotonic,
) -> Any:
    """Call ``use`` while there are so many reports of which half was sent, by this clock."""
    served = Served()
    app = web.Application()
    app.add_routes(ReportEndpoint(served.intake, served.pacer, clock=clock).routes())
    served.server = TestServer(app, host="127.0.0.1")

    async def visitor(client: Client) -> Any:
        opened = [await half_sent(client) for _ in range(count)]
        try:
            return await use(client, opened)
        finally:
            for _, writer in opened:
                writer.close()

    return visit(served, visitor)


def test_body_that_does_not_arrive_in_time_is_408_and_closes_the_connection() -> None:
    async def use(_: Client, opened: list[Opened]) -> bytes:
        return await opened[0][0].read()

    answer = with_half_sent(1, use)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in answer


def test_reports_that_are_never_sent_keep_no_other_one_out() -> None:
    now = 0.0

    async def use(client: Client, opened: list[Opened]) -> tuple[int, bytes]:
        nonlocal now
        now += 1
        response, _ = await sent(client, GAUGE, PLAIN)
        return response.status, await status_of(opened[0])

    assert with_half_sent(MAX_POSTS, use, lambda: now) == (200, b"408")


def test_reports_at_once_are_bounded() -> None:
    async def use(client: Client, _: list[Opened]) -> tuple[int, str | None]:
        response, _body = await sent(client, GAUGE, PLAIN)
        return response.status, response.headers.get("Retry-After")

    assert with_half_sent(MAX_POSTS - 1, use, lambda: 0.0) == (200, None)
    assert with_half_sent(MAX_POSTS, use, lambda: 0.0) == (503, "1")


def test_other_tasks_run_between_the_datagrams_of_a_report() -> None:
    gauges = {f"a_gauge_with_quite_a_long_name_{number}": 1.0 for number in range(20)}
    served = Served()
    bodies = [
        framed([encode(Report(f"{body}-{number}", gauges=gauges)) for number in range(40)])
        for body in range(3)
    ]

    async def use(client: Client) -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                if served.intake.received % 40:  # in the middle of a report
                    turns += 1

        counting = asyncio.create_task(count())
        for body in bodies:
            response, _ = await sent(client, body)
            assert response.status == 200
        counting.cancel()
        return turns

    assert visit(served, use) > 3
    assert served.intake.received == 120


def test_client_that_disconnects_changes_nothing_for_others() -> None:
    served = Served()

    async def use(client: Client) -> int:
        for _ in range(2 * MAX_POSTS):
            _, writer = await half_sent(client)
            writer.transport.abort()
        while True:
            response, _ = await sent(client, GAUGE, PLAIN)
            if response.status != 503:  # the exporter has not noticed all yet
                return response.status
            await asyncio.sleep(0.01)

    assert visit(served, use) == 200
