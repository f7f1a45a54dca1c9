"""``collect[]`` and ``exclude[]`` over real connections, on each path that Prometheus scrapes."""

import gzip
from urllib.parse import quote

import pytest
from pombo_wire import Cpu, Report, System
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
from support.served import Client, Served, get, visit

OPENMETRICS = "application/openmetrics-text"


def served() -> Served:
    found = Served()
    for name in ("pi", "web 1/x"):
        report = Report(
            name, interval=3600.0, cpu=Cpu(("0",), user=(1.0,)), system=System(load1=2.0)
        )
        found.take(report)
    found.take(Report("down", interval=1.0, cpu=Cpu(("0",), user=(1.0,))), ago=100.0)
    return found


def names(exposition: str) -> set[str]:
    return {sample.name for family in text(exposition) for sample in family.samples}


def measured(exposition: str) -> set[str]:
    """Return the names of the families that hosts measure."""
    return {name for name in names(exposition) if name.startswith(("node_", "host_"))}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"node_cpu_seconds_total", "node_load1", "host_load1"}),
        ("?collect[]=cpu", {"node_cpu_seconds_total"}),
        ("?collect%5B%5D=cpu", {"node_cpu_seconds_total"}),
        ("?collect[]=loadavg&collect[]=loadavg", {"node_load1", "host_load1"}),
        (
            "?collect[]=cpu&collect[]=loadavg",
            {"node_cpu_seconds_total", "node_load1", "host_load1"},
        ),
        ("?collect[]=arp", set()),
        ("?exclude[]=cpu", {"node_load1", "host_load1"}),
        ("?exclude[]=cpu&exclude[]=loadavg", set()),
        ("?exclude[]=unheard_of", {"node_cpu_seconds_total", "node_load1", "host_load1"}),
        ("?collect=cpu&x[]=y", {"node_cpu_seconds_total", "node_load1", "host_load1"}),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", f"/hosts/{quote('web 1/x')}/metrics"])
def test_answer_has_the_families_of_the_selected_collectors(
    path: str, query: str, expected: set[str]
) -> None:
    response, body = get(served(), f"{path}{query}")
    assert response.status == 200
    exposition = body.decode()
    assert measured(exposition) == expected
    assert "pombo_host_up" in names(exposition)
    assert ("pombo_exporter_hosts" in names(exposition)) == (path == "/metrics")
    assert ("process_cpu_seconds_total" in names(exposition)) == (path == "/metrics")


def test_selection_of_the_exporters_own_path_leaves_what_it_has() -> None:
    exposition = get(served(), "/exporter/metrics?collect[]=cpu")[1].decode()
    assert {"pombo_exporter_hosts", "pombo_host_up"} <= names(exposition)
    assert measured(exposition) == set()
    assert 'pombo_host_up{instance="down"} 0' in exposition
    assert 'instance="pi"' not in exposition


@pytest.mark.parametrize("path", ["/metrics", "/hosts/pi/metrics", "/exporter/metrics"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("collect[]=cpuu", "missing collector: cpuu: the nearest is cpu"),
        ("collect[]=cpu&collect[]=zzz", "missing collector: zzz: see the flags of pombo-agent"),
        ("collect[]=", "missing collector: :"),
        ("collect[]=CPU", "missing collector: CPU"),
        ("collect[]=cpu,meminfo", "missing collector: cpu,meminfo"),
        ("collect[]=%FF%00", "missing collector: "),
        (f"collect[]={'x' * 7000}", "missing collector: xxx"),
        (
            "collect[]=cpu&exclude[]=meminfo",
            "Combined collect and exclude queries are not allowed: use one of them.",
        ),
    ],
)
def test_invalid_selection_is_400_with_the_reason(path: str, query: str, message: str) -> None:
    for method in ("GET", "HEAD"):
        response, body = get(served(), f"{path}?{query}", method)
        assert response.status == 400
        assert response.content_type == "text/plain"
        if method == "GET":
            assert body.decode().startswith(message)


def test_selection_is_the_same_in_openmetrics_and_compressed() -> None:
    path = "/metrics?exclude[]=loadavg"
    response, body = get(served(), path, Accept=OPENMETRICS, Accept_Encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    exposition = gzip.decompress(body).decode()
    assert exposition.endswith("# EOF\n")
    families = {
        family.name
        for family in openmetrics(exposition)  # type: ignore[no-untyped-call]  # has no types
        if family.name.startswith(("node_", "host_"))
    }
    assert families == {"node_cpu_seconds"}


def test_more_selections_than_are_kept_are_answered() -> None:
    names = ("arp", "cpu", "dmi", "loadavg", "os", "time", "uname")

    async def use(client: Client) -> list[bool]:
        found = []
        for number in range(2 ** len(names)):
            excluded = [f"exclude[]={name}" for at, name in enumerate(names) if number >> at & 1]
            response = await client.get(f"/metrics?{'&'.join(excluded)}")
            exposition = gzip.decompress(await response.read()).decode()
            found.append(("host_load1{" in exposition) is not ("exclude[]=loadavg" in excluded))
        return found

    assert all(visit(served(), use))
