"""The API: answers follow docs/openapi.json, and all errors have one shape."""

import asyncio
import gzip
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import ClientResponse
from jsonschema import Draft202012Validator
from pombo_cli.flags import Address
from pombo_exporter import __version__
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.limits import Limits
from pombo_exporter.hosts.roster import HostEvent
from pombo_exporter.ingest.drain import drain
from pombo_exporter.ingest.intake import REASONS
from pombo_exporter.ingest.remedies import REMEDIES
from pombo_exporter.runtime import listen
from pombo_exporter.views import schema
from pombo_exporter.views.event_log import CAPACITY
from pombo_wire import Cpu, Disks, Info, Memory, Report, encode
from support.builders import ADDRESS, WALL
from support.served import Client, Served, get, visit

DOCUMENT = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())

HOSTILE = [
    *("a/b", "/", "//", "..", ".", "../..", "a/../b", "50%", "a%2Fb", "a%252Fb", "%", "x y", " "),
    *("übergröße", "日本", "a?b=c#d", "a;b", "a&b", "x/metrics", "metrics", "<script>", '"', "\\"),
    *("a\nb", "\x00", "\x1b[2J", "\u202e", "🕊", "x" * 255),
]


def validate(schema: dict[str, Any], instance: Any) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(instance)


def checked(path: str, method: str, response: ClientResponse, body: bytes) -> Any:
    """Return the decoded body of an answer that follows the document."""
    described = DOCUMENT["paths"][path][method.lower()]["responses"][str(response.status)]
    if "content" not in described:
        assert body == b""
        return None
    content = described["content"][response.content_type]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    answer = json.loads(body) if response.content_type == "application/json" else body.decode()
    validate(content["schema"], answer)
    return answer


def ask(served: Served, path: str, *, host: str = "", method: str = "GET") -> tuple[int, Any]:
    """Request a path of the document; return the status and the decoded answer."""
    url = path.replace("{host}", quote(host, safe=""))
    response, body = get(served, url, method)
    return response.status, checked(path, method, response, body)


HOSTS, HOST, STATUS = "/api/v1/hosts", "/api/v1/hosts/{host}", "/api/v1/status"


def fleet() -> Served:
    """Return an exporter with hosts of every state, and refusals."""
    served = Served(Limits(hosts=4))
    for read in (1.0, 2.0):
        served.take(
            Report(
                "live",
                session=1,
                seq=int(read),
                monotonic=read,
                time=served.exporter.wall,
                interval=60.0,
                info=Info("pombo-agent 1", "Linux", "6", "x"),
                labels={"rack": "7"},
                cpu=Cpu(("0",), user=(read,), idle=(3 * read,)),
                memory=Memory(total=4.0, available=1.0),
                disks=Disks(("sda",), read_bytes=(read,), written_bytes=(read,)),
                gauges={"x": -1.5},
            )
        )
    served.take(Report("late", interval=10.0, memory=Memory(total=1.0)), ago=25)
    served.take(Report("down", interval=10.0, memory=Memory(total=1.0)), ago=100)
    served.take(Report("left", interval=10.0))
    served.take(Report("left", bye=True))
    served.take(Report("one too many"))
    served.intake.take(b"\xff\x00garbage<script>", ADDRESS, 0.0, served.exporter.wall)
    return served


def test_document_is_of_this_version_and_its_schemas_are_valid() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == __version__
    for described in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(described)
        assert described["description"]


def test_name_of_every_number_has_its_unit() -> None:
    units = ("_seconds", "_bytes", "_ratio", "_per_second", "_per_minute", "_cores", "celsius")
    # Those of a reason have a unit of their own.
    plain = {"load1", "load5", "load15", "threads", "count", "value", "threshold"}
    for name, described in DOCUMENT["components"]["schemas"].items():
        for field, described_field in described.get("properties", {}).items():
            kinds = [described_field, *described_field.get("anyOf", [])]
            if any(kind.get("type") == "number" for kind in kinds):
                assert field.endswith(units) or field in plain, (name, field)


def test_hosts_are_listed_with_their_states_and_without_those_that_sent_bye() -> None:
    status, found = ask(fleet(), HOSTS)
    assert status == 200
    assert {host["name"]: host["state"] for host in found["hosts"]} == {
        "live": "live",
        "late": "late",
        "down": "down",
    }
    live, late, down = found["hosts"]
    assert live["memory_used_ratio"] == 0.75
    assert live["cpu_usage_ratio"] == 0.25
    assert live["labels"] == {"rack": "7"}
    assert late["memory_total_bytes"] == 1
    assert down["memory_total_bytes"] == 1  # as of its last report
    assert [host["severity"] for host in found["hosts"]] == ["ok", "warning", "critical"]
    assert [[reason["id"] for reason in host["reasons"]] for host in found["hosts"]] == [
        [],
        ["late"],
        ["down"],
    ]
    assert down["last_seen_age_seconds"] >= 100


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("severity=ok", ["live"]),
        ("severity=warning", ["late"]),
        ("severity=critical&severity=warning", ["late", "down"]),
        ("other=1", ["live", "late", "down"]),
    ],
)
def test_list_has_the_hosts_of_the_severities_that_are_asked_for(
    query: str, names: list[str]
) -> None:
    response, body = get(fleet(), f"{HOSTS}?{query}")
    found = checked(HOSTS, "GET", response, body)
    assert [host["name"] for host in found["hosts"]] == names


@pytest.mark.parametrize("value", ["", "Critical", "down", "<script>"])
def test_unknown_severity_is_400_with_those_that_exist(value: str) -> None:
    response, body = get(fleet(), f"{HOSTS}?severity={quote(value)}")
    assert response.status == 400
    assert f"{value!r} is no severity" in checked(HOSTS, "GET", response, body)["error"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("filter=rack%3D7", ["live"]),
        ("filter=-rack=7&filter=state:down", ["down"]),
        ("filter=memory>50&severity=ok", ["live"]),
        ("filter=memory>50&severity=warning", []),
        ("filter=", ["live", "late", "down"]),
    ],
)
def test_list_has_the_hosts_that_match_the_filter(query: str, names: list[str]) -> None:
    response, body = get(fleet(), f"{HOSTS}?{query}")
    found = checked(HOSTS, "GET", response, body)
    assert [host["name"] for host in found["hosts"]] == names


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("filter=cpu>", "'cpu>': write a number after >: cpu>80, or see docs/view.md"),
        ("filter=state:%00", "'state:\\x00': there is no such state: write one of live, late"),
        ("filter=" + "a+" * 33, "the filter has 33 words: write at most 32"),
        ("format=xls", "'xls' is no format: write json or csv"),
    ],
)
def test_filter_that_says_nothing_is_400_with_the_remedy(query: str, error: str) -> None:
    response, body = get(fleet(), f"{HOSTS}?{query}")
    assert response.status == 400
    assert error in checked(HOSTS, "GET", response, body)["error"]


def test_hosts_that_match_are_a_file_of_csv() -> None:
    response, body = get(fleet(), f"{HOSTS}?format=csv&filter=-state:late")
    lines = checked(HOSTS, "GET", response, body).splitlines()
    assert response.headers["Content-Disposition"] == 'attachment; filename="pombo-hosts.csv"'
    assert lines[0].startswith('"name","severity","reasons","state",')
    assert [line.partition(",")[0] for line in lines[1:]] == ['"live"', '"down"']


def test_list_without_hosts_is_empty() -> None:
    assert ask(Served(), HOSTS) == (200, {"hosts": []})


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_every_host_is_listed_once_however_many_there_are(count: int) -> None:
    served = Served()
    names = [f"host-{number}" for number in range(count)]
    for name in names:
        served.take(Report(name))
    _, found = ask(served, HOSTS)
    assert [host["name"] for host in found["hosts"]] == names


def test_list_is_compressed_if_the_client_accepts_it() -> None:
    served = Served()
    for number in range(200):
        served.take(Report(f"host-{number}"))
    response, body = get(served, HOSTS, Accept_Encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(body))["hosts"]) == 200


def test_detail_has_the_fields_of_the_host_and_no_families() -> None:
    served = fleet()
    status, found = ask(served, HOST, host="live")
    assert status == 200
    assert found["system"] == "Linux"
    assert found["disks"] == [
        {"device": "sda", "read_bytes_per_second": 1.0, "write_bytes_per_second": 1.0}
    ]
    assert found["gauges"] == {"x": -1.5}
    assert "families" not in found


def test_families_of_a_host_have_their_types_and_samples() -> None:
    status, found = ask(fleet(), f"{HOST}/families", host="live")
    assert status == 200
    families = {family["name"]: family for family in found["families"]}
    assert families["x"]["type"] == "gauge"
    assert families["x"]["samples"] == [{"labels": {}, "value": -1.5}]
    read = families["node_disk_read_bytes_total"]
    assert read["type"] == "counter"
    assert [sample["labels"] for sample in read["samples"]] == [{"device": "sda"}]


def test_families_of_a_host_that_is_down_are_those_of_its_last_report() -> None:
    status, found = ask(fleet(), f"{HOST}/families", host="down")
    assert status == 200
    families = {family["name"]: family for family in found["families"]}
    assert families["host_memory_total_bytes"]["samples"] == [{"labels": {}, "value": 1.0}]


@pytest.mark.parametrize("host", ["bare", "left", "one too many"])
def test_families_of_a_host_without_samples(host: str) -> None:
    served = Served() if host == "bare" else fleet()
    served.take(Report("bare"))  # a fleet has no room for it
    status, body = visit(
        served, lambda client: request(client, "GET", quote(host, safe="") + "/families")
    )
    assert status == (200 if host == "bare" else 404)
    assert host != "bare" or json.loads(body) == {"families": []}


@pytest.mark.parametrize("host", ["late", "down"])
def test_silent_host_has_a_detail(host: str) -> None:
    status, found = ask(fleet(), HOST, host=host)
    assert (status, found["state"]) == (200, host)


@pytest.mark.parametrize("host", ["nobody", "left", "one too many", *HOSTILE])
def test_unknown_host_is_404_with_its_name(host: str) -> None:
    async def use(client: Client) -> tuple[int, bytes]:
        return await request(client, "GET", quote(host, safe=""))

    status, body = visit(fleet(), use)
    assert status == 404
    validate({"$ref": "#/components/schemas/Error"}, json.loads(body))
    assert repr(host) in json.loads(body)["error"]


@pytest.mark.parametrize("host", HOSTILE)
def test_host_of_any_name_is_found_and_forgotten_by_it(host: str) -> None:
    served = Served(admin=True)
    for name in HOSTILE:
        served.take(Report(name))

    async def use(client: Client) -> tuple[list[str], int, list[str]]:
        url = f"http://{client.host}:{client.port}{HOSTS}"
        found = await request(client, "GET", quote(host, safe=""))
        gone = await request(client, "DELETE", quote(host, safe=""))
        response = await client.session.get(url, headers={"Accept-Encoding": "identity"})
        left = json.loads(await response.read())["hosts"]
        return [json.loads(found[1])["name"]], gone[0], [each["name"] for each in left]

    names, status, left = visit(served, use)
    assert names == [host]
    assert status == 204
    assert left == [name for name in HOSTILE if name != host]


async def request(client: Client, method: str, host: str) -> tuple[int, bytes]:
    """Send a path without normalization; return the status and the body."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        f"{method} {HOSTS}/{host} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


def test_status_has_limits_buffers_and_recent_refusals_newest_first() -> None:
    served = fleet()
    code, found = ask(served, STATUS)
    assert code == 200
    status = msgspec.convert(found, schema.ExporterStatus)
    assert status.version == __version__
    assert status.hosts == schema.HostStates(live=1, late=1, down=1)
    hosts, series, stored, history, families, datagram = status.limits
    assert hosts == schema.Limit("hosts", 4, 4, 1.0, None)
    assert (series.name, series.limit, series.host) == ("series_per_host", 50_000, "live")
    assert series.used == served.exporter.host("live").series > 5
    assert series.used_ratio == series.used / 50_000
    limits, roster = served.exporter.limits, served.exporter.roster
    assert stored == schema.Limit(
        "bytes", limits.bytes, roster.booked_bytes, roster.booked_bytes / limits.bytes, None
    )
    assert (history.name, history.limit) == ("history_bytes", 4 * 1456)
    assert families == schema.Limit("families", limits.families, 1, 1 / limits.families, None)
    assert (datagram.name, datagram.limit) == ("datagram_bytes", 1200)
    assert status.forget_after_seconds == 3600
    assert status.datagrams_received == 8
    assert status.last_datagram_timestamp_seconds == served.exporter.wall
    assert status.refusal_remedies == {
        reason: REMEDIES[reason] for reason in ("host_limit", "unknown_form")
    }
    assert {*status.datagrams_refused} == {str(reason) for reason in REASONS}
    assert {reason for reason, count in status.datagrams_refused.items() if count} == {
        "host_limit",
        "unknown_form",
    }
    garbage, limit = status.recent_refusals
    assert (garbage.reason, garbage.address, garbage.count) == ("unknown_form", ADDRESS[0], 1)
    assert garbage.datagram_start == "\\xff\\x00garbage<script>"
    assert garbage.last_timestamp_seconds == served.exporter.wall
    assert limit.reason == "host_limit"
    assert "--limit.hosts=4" in limit.detail
    assert (status.receive_buffer.wanted_bytes, status.receive_buffer.granted_bytes) == (2, 1)
    assert status.kernel_drops == 7
    assert status.uptime_seconds >= 0


def test_host_is_forgotten_at_once_if_that_is_enabled() -> None:
    served = Served(admin=True)
    served.take(Report("pi"))
    assert ask(served, HOST, host="pi", method="DELETE") == (204, None)
    assert served.exporter.roster.hosts == {}
    served = Served(admin=True)
    status, found = ask(served, HOST, host="pi", method="DELETE")
    assert status == 404
    assert "'pi'" in found["error"]


@pytest.mark.parametrize("host", ["pi", "nobody"])
def test_no_host_is_forgotten_unless_that_is_enabled(host: str) -> None:
    served = Served()
    served.take(Report("pi"))
    status, found = ask(served, HOST, host=host, method="DELETE")
    assert status == 403
    assert "--web.enable-admin-api" in found["error"]
    assert {*served.exporter.roster.hosts} == {"pi"}


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/host", "/api/v2/hosts"])
def test_unknown_path_is_404_in_json(path: str) -> None:
    response, body = get(Served(), path)
    assert response.status == 404
    assert response.content_type == "application/json"
    validate({"$ref": "#/components/schemas/Error"}, json.loads(body))


@pytest.mark.parametrize("path", ["/api/v1/hosts", "/api/v1/hosts/pi", "/api/v1/status"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_other_method_is_405_in_json(path: str, method: str) -> None:
    response, body = get(Served(), path, method)
    assert response.status == 405
    assert response.content_type == "application/json"
    assert "GET" in response.headers["Allow"]
    validate({"$ref": "#/components/schemas/Error"}, json.loads(body))


@pytest.mark.parametrize("admin", [False, True])
def test_families_of_a_host_cannot_be_deleted(admin: bool) -> None:  # noqa: FBT001 - parametrized
    served = Served(admin=admin)
    served.take(Report("pi/families"))
    response, _ = get(served, "/api/v1/hosts/pi/families", "DELETE")
    assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
    assert {*served.exporter.roster.hosts} == {"pi/families"}


def test_datagrams_are_taken_while_ten_thousand_hosts_are_listed() -> None:
    served = Served(Limits(hosts=20_000))
    for number in range(10_000):
        served.take(Report(f"host-{number}", interval=3600.0, memory=Memory(total=1.0)))
    taken: list[bytes] = []

    async def use(client: Client) -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        with listen.udp(Address("127.0.0.1", 0), 65_536) as udp:
            loop.add_reader(udp, drain, udp, lambda datagram, _: taken.append(datagram))
            response = await client.get(HOSTS, headers={"Accept-Encoding": "identity"})
            await response.content.readany()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(encode(Report("meanwhile")), udp.getsockname())
            body, after = b"", 0
            while chunk := await response.content.readany():
                body += chunk
                after += bool(taken)
            loop.remove_reader(udp)
        return after, body

    pieces, body = visit(served, use)
    assert pieces > 1, "the list was written in one piece, or before the datagram was taken"
    assert b"host-9999" in body


EVENTS = "/api/v1/events"


def test_events_are_newest_first_and_found_since_a_time() -> None:
    def with_events() -> Served:
        served = Served()
        for number, name in enumerate(("one", "two", "<b>three</b>")):
            at = 20.0 * number
            served.log.take(HostEvent.NEW, Host(name, ADDRESS), at, WALL + at)
        return served

    status, found = ask(with_events(), EVENTS)
    assert status == 200
    assert [event["hosts"] for event in found["events"]] == [["<b>three</b>"], ["two"], ["one"]]
    assert {event["kind"] for event in found["events"]} == {"new"}
    assert (found["capacity"], found["dropped"]) == (CAPACITY, 0)
    response, body = get(with_events(), f"{EVENTS}?since={WALL + 20}")
    newer = checked(EVENTS, "GET", response, body)["events"]
    assert newer == found["events"][:2]


@pytest.mark.parametrize("since", ["", "yesterday", "nan", "inf", "1e999"])
def test_time_that_is_none_is_400(since: str) -> None:
    response, body = get(Served(), f"{EVENTS}?since={since}")
    assert response.status == 400
    assert f"{since!r} is no Unix time" in checked(EVENTS, "GET", response, body)["error"]
