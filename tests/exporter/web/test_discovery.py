"""Every host as a target: HTTP service discovery, and the exposition of one host."""

import asyncio
import gzip
import json
from itertools import chain
from typing import Any
from urllib.parse import quote

import pytest
from pombo_exporter.hosts.host import Host
from pombo_exporter.hosts.snapshot import Snapshot
from pombo_exporter.metrics.capture import Capture
from pombo_exporter.metrics.exposition import render
from pombo_exporter.runtime.pacing import StepClock
from pombo_wire import Cpu, Filesystems, Info, Memory, Report
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
from support.builders import ADDRESS, TABLE, Agent, disks
from support.served import Client, Served, get, visit

OPENMETRICS = "application/openmetrics-text"

HOSTILE = [
    *("a/b", "/", "//lead", "..", ".", "a/../b", "50%", "a%2Fb", "x y", "über", "a?b=c#d", "a;b"),
    *("x/metrics", "metrics", "<b>", '"', "\\", "a\nb", "}", "} 1\nx", 'a"} 1', "\x00", "x" * 255),
]


def groups(served: Served, **headers: str) -> list[dict[str, Any]]:
    response, body = get(served, "/sd", **headers)
    assert response.status == 200
    assert response.content_type == "application/json"
    found: list[dict[str, Any]] = json.loads(body)
    return found


def samples(exposition: str, parse: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples of an exposition; each must be there once."""
    found = {}
    for family in parse(exposition):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = float(sample.value)
    return found


def busy(host: str) -> Agent:
    """Return an agent of that name that has sent values of every kind, twice."""
    agent = Agent(host=host)
    for moment in (1.0, 2.0):
        agent.send(
            info=Info("pombo-agent 9", "Linux", "6.1", "x"),
            labels={"rack": 'a"b\\c'},
            cpu=Cpu(("0", "1"), user=(moment,) * 2, idle=(moment,) * 2, guest=(moment,) * 2),
            filesystems=Filesystems(("/",), ("d",), ("ext4",), size=(1.0,), free=(1.0,)),
            disks=disks(sda=moment),
            meminfo={"MemTotal_bytes": 4.0, "MemAvailable_bytes": 1.0, "Dirty_bytes": 1.0},
            gauges={"x": 1.0},
        )
        agent.exporter.wait(1)
    return agent


def exposition_of(host: Host, agent: Agent, *, openmetrics: bool = False) -> str:
    """Return the exposition of one host as a target of its own."""
    capture, steps = Capture(TABLE, {}, instance=False), StepClock()
    reading = capture.read(Snapshot([host], agent.exporter.now, 0.0), steps)
    rendering = render(TABLE, capture, steps, openmetrics=openmetrics)
    return b"".join(filter(None, chain(reading, rendering))).decode()


@pytest.mark.parametrize("host", ["pi", *HOSTILE])
def test_exposition_of_a_host_has_its_samples_without_the_label_instance(host: str) -> None:
    agent = busy(host)
    of_host = agent.exporter.host(host)
    plain, opened = exposition_of(of_host, agent), exposition_of(of_host, agent, openmetrics=True)
    found = samples(plain, text)
    assert found == samples(opened + "# EOF\n", openmetrics)
    assert found == agent.exporter.samples(host)
    assert len(found) >= 31
    assert not any(name == "instance" for _, labels in found for name, _ in labels)


def test_sample_without_labels_has_no_braces() -> None:
    agent = busy("pi")
    exposition = exposition_of(agent.exporter.host(), agent)
    lines = exposition.splitlines()
    assert "pombo_host_up 1" in lines
    assert "x 1" in lines
    assert "node_memory_Dirty_bytes 1" in lines
    assert 'host_disk_read_bytes_per_second{device="sda"} 1' in lines
    assert 'node_cpu_seconds_total{mode="user",cpu="0"} 2' in lines
    assert "{}" not in exposition


def test_every_host_is_a_target_at_the_address_of_the_request() -> None:
    served = Served()
    served.take(Report("pi", info=Info("pombo-agent 9", "Linux", "6.1", "x"), labels={"rack": "7"}))
    served.take(Report("down", interval=1.0), ago=100)
    served.take(Report("left"))
    served.take(Report("left", bye=True))
    pi, down = groups(served, Host="exporter.example:81")
    assert pi == {
        "targets": ["exporter.example:81"],
        "labels": {
            "__metrics_path__": "/hosts/pi/metrics",
            "instance": "pi",
            "__meta_pombo_host": "pi",
            "__meta_pombo_agent": "pombo-agent 9",
            "__meta_pombo_system": "Linux",
            "__meta_pombo_release": "6.1",
            "__meta_pombo_machine": "x",
            "__meta_pombo_label_rack": "7",
        },
    }
    assert down["labels"]["instance"] == "down"


def test_without_hosts_there_is_no_target() -> None:
    assert groups(Served()) == []


@pytest.mark.parametrize("count", [64, 65, 200])
def test_every_host_is_one_target_however_many_there_are(count: int) -> None:
    served = Served()
    for number in range(count):
        served.take(Report(f"host-{number}"))
    found = [group["labels"]["instance"] for group in groups(served)]
    assert found == [f"host-{number}" for number in range(count)]


async def raw(client: Client, path: str) -> tuple[int, bytes]:
    """Send a path without normalization; return the status and the body."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


@pytest.mark.parametrize("host", HOSTILE)
def test_path_of_a_target_is_of_its_host_with_or_without_encoded_slashes(host: str) -> None:
    served = Served()
    for number, name in enumerate(HOSTILE):
        served.take(Report(name, gauges={"which": float(number)}))

    async def use(client: Client) -> list[tuple[int, bytes]]:
        response = await client.get("/sd", headers={"Accept-Encoding": "identity"})
        targets = {g["labels"]["instance"]: g for g in json.loads(await response.read())}
        path = targets[host]["labels"]["__metrics_path__"]
        # Prometheus leaves the slashes of a path as they are.
        return [
            await raw(client, quote(path, safe="/")),
            await raw(client, f"/hosts/{quote(host, safe='')}/metrics"),
        ]

    for status, body in visit(served, use):
        assert status == 200
        assert f"which {HOSTILE.index(host)}" in body.decode().splitlines()


def test_exposition_of_a_host_has_both_formats_and_is_compressed() -> None:
    def scrape(**headers: str) -> tuple[Any, bytes]:
        served = Served()
        served.take(Report("pi", memory=Memory(total=4.0), time=served.exporter.wall))
        return get(served, "/hosts/pi/metrics", **headers)

    response, plain = scrape()
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    response, packed = scrape(Accept_Encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
    response, opened = scrape(Accept=OPENMETRICS)
    assert response.content_type == OPENMETRICS
    assert opened.endswith(b"\n# EOF\n")
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert samples(opened.decode(), openmetrics) == samples(plain.decode(), text)


def test_exposition_of_a_host_that_is_down_is_503_with_the_time_of_silence() -> None:
    served = Served()
    served.take(Report("pi", interval=2.0), ago=50)
    response, body = get(served, "/hosts/pi/metrics")
    assert response.status == 503
    assert b"'pi' is down: no report for 50" in body
    assert b"interval 2 s" in body


def test_exposition_of_a_late_host_is_200() -> None:
    served = Served()
    served.take(Report("pi", interval=10.0), ago=25)
    response, body = get(served, "/hosts/pi/metrics")
    assert response.status == 200
    assert b"pombo_host_late 1" in body


@pytest.mark.parametrize("host", ["nobody", "left"])
def test_exposition_of_an_unknown_host_is_404(host: str) -> None:
    served = Served()
    served.take(Report("left"))
    served.take(Report("left", bye=True))
    response, body = get(served, f"/hosts/{host}/metrics")
    assert response.status == 404
    assert repr(host).encode() in body


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_expositions_of_the_exporter_and_its_hosts_together_have_the_samples_of_all_in_one(
    accept: str,
) -> None:
    served = Served()
    for name, ago in (("live", 0), ("late", 25), ("down", 100)):
        served.take(Report(name, interval=10.0, memory=Memory(total=1.0)), ago=ago)
    parse = openmetrics if accept else text

    async def use(client: Client) -> list[str]:
        expositions = []
        for path in ("/metrics", "/exporter/metrics", "/hosts/live/metrics", "/hosts/late/metrics"):
            headers = {"Accept": accept, "Accept-Encoding": "identity"}
            response = await client.get(path, headers=headers)
            assert response.status == 200
            expositions.append((await response.read()).decode())
        return expositions

    all_in_one, exporter, *hosts = visit(served, use)
    together = samples(exporter, parse)
    assert together["pombo_host_up", (("instance", "down"),)] == 0
    assert ("host_memory_total_bytes", (("instance", "down"),)) not in together
    for name, exposition in zip(("live", "late"), hosts, strict=True):
        for (sample, labels), value in samples(exposition, parse).items():
            key = sample, tuple(sorted([*labels, ("instance", name)]))
            assert key not in together
            together[key] = value
    assert {*together} == {*samples(all_in_one, parse)}


def test_address_of_the_agent_is_not_in_a_target() -> None:
    served = Served()
    served.take(Report("pi"))
    assert str(ADDRESS[0]) not in json.dumps(groups(served, Host="x"))
