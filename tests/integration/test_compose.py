"""The Compose file's services, built from its Dockerfiles and run as it says, but Grafana."""

import json
import os
import re
import shlex
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distribution.onefile import file_name
from distribution.targets import TARGETS
from support.containers import BUILT, SERVICES, Containers, container
from support.pages import wait_until
from support.processes import ROOT

# Images take long to build, as packages do: `make test-all` builds both.
pytestmark = pytest.mark.slow

RUN = ["exporter", "agent", "prometheus"]


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    containers = Containers(tmp_path_factory.mktemp("containers"))
    yield containers
    containers.close()


@pytest.fixture(scope="module")
def images(containers: Containers) -> Containers:
    containers.build()
    return containers


class Stack:
    """The services that run, and what Prometheus knows of them."""

    def __init__(self, containers: Containers) -> None:
        self.containers = containers
        for service in RUN:
            containers.start(service)

    def ask(self, what: str, **parameters: str) -> Any:
        """Return what Prometheus' API says."""
        query = urllib.parse.urlencode(parameters)
        answer = self.containers.fetch(f"http://127.0.0.1:9090/api/v1/{what}?{query}")
        return json.loads(answer)["data"]

    def rows(self, expression: str, label: str) -> dict[str, float]:
        """Return the value of each series of this host, once there are some, by one label."""
        name = socket.gethostname()
        found = wait_until(
            lambda: self.ask("query", query=expression)["result"],
            bool,
            expression,
            within=30,
            every=0.25,
        )
        assert {row["metric"]["instance"] for row in found} == {name}
        values = {row["metric"][label]: float(row["value"][1]) for row in found}
        assert len(values) == len(found)
        return values

    def probe(self, service: str) -> bool:
        """Run the health check of a service in a container of its own, which needs no service."""
        kind, *check = self.containers.inspect(container(service), "Config.Healthcheck.Test")
        assert kind == "CMD"
        return self.containers.run_once(SERVICES[service]["image"], *check).returncode == 0


@pytest.fixture(scope="module")
def stack(images: Containers) -> Stack:
    return Stack(images)


def test_context_of_the_images_is_no_more_than_the_packages_and_their_pins(
    containers: Containers, tmp_path: Path
) -> None:
    dockerfile = "FROM scratch\nCOPY . /"
    containers.podman("build", "--file=-", f"--output={tmp_path}", str(ROOT), stdin=dockerfile)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert {name.split("/")[0] for name in names} - {"dist"} == {
        *("VERSION", "agent", "cli", "exporter", "locks", "wire"),
    }
    assert {name for name in names if name.startswith("dist/")} <= {
        *("dist/agents", "dist/agents/SHA256SUMS"),
        *(f"dist/agents/{file_name(target)}" for target in TARGETS),
    }
    assert not any("__pycache__" in name or "egg-info" in name for name in names)


def listed(stack: Stack, service: str, folder: str, *conditions: str) -> set[str]:
    """Return the paths in a folder of a service's image, relative to it.

    The container that runs has them too: another one costs a copy of the image.
    """
    find = ("/usr/bin/find", folder, "-mindepth", "1", *conditions, "-printf", r"%P\n")
    found = stack.containers.execute(service, *find)
    assert found.returncode == 0, found.stderr
    return set(found.stdout.split())


@pytest.mark.parametrize("service", BUILT)
def test_image_has_its_command_and_nothing_to_install_more_with(stack: Stack, service: str) -> None:
    [command] = stack.containers.inspect(SERVICES[service]["image"], "Config.Entrypoint")
    programs = listed(stack, service, "/pombo/bin")
    assert Path(command).name in programs
    assert not any(name.startswith("pip") for name in programs)
    assert not {"pytest", "mypy", "ruff"} & programs


def test_image_of_the_exporter_has_the_one_file_agents_that_were_built(stack: Stack) -> None:
    built = ROOT / "dist/agents"
    expected = {path.name for path in built.iterdir()} if built.exists() else set()
    assert listed(stack, "exporter", "/usr/share/pombo-exporter/agents") == expected


def test_image_of_the_exporter_has_no_tests_of_its_packages(stack: Stack) -> None:
    assert listed(stack, "exporter", "/pombo", "-type", "d")
    assert not listed(stack, "exporter", "/pombo", "-type", "d", "-name", "tests")


@pytest.mark.parametrize("service", BUILT)
def test_image_runs_as_nobody(images: Containers, service: str) -> None:
    assert images.inspect(SERVICES[service]["image"], "Config.User") == "65534:65534"


@pytest.mark.parametrize("service", RUN)
def test_service_can_write_nowhere_but_on_its_volumes(stack: Stack, service: str) -> None:
    script = """
    for place in / /usr /etc /tmp /host/root; do
        ! echo > $place/pombo-was-here || echo "wrote to $place"
    done
    """
    tried = stack.containers.execute(service, "/bin/sh", "-c", script)
    assert not tried.stdout
    assert tried.stderr.count("pombo-was-here") == 5
    assert not Path("/pombo-was-here").exists()


@pytest.mark.parametrize("service", RUN)
def test_service_has_no_capability(stack: Stack, service: str) -> None:
    pid = stack.containers.inspect(container(service), "State.Pid")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    said = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert {said[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert said["NoNewPrivs"] == "1"


#: Files of a container's own control group, of version 2 and of version 1.
BOUNDS = {
    "mem_limit": ("memory.max", "memory/memory.limit_in_bytes"),
    "pids_limit": ("pids.max", "pids/pids.max"),
}


@pytest.mark.parametrize("service", RUN)
@pytest.mark.parametrize("key", BOUNDS)
def test_service_has_a_bound_of_memory_and_of_processes(
    stack: Stack, service: str, key: str
) -> None:
    files = (f"/sys/fs/cgroup/{file}" for file in BOUNDS[key])
    [bound] = stack.containers.execute(service, "/bin/cat", *files).stdout.split()
    text = str(SERVICES[service][key])
    units = {"m": 2**20, "g": 2**30}
    assert int(bound) == int(text.rstrip("mg")) * units.get(text[-1], 1)


def test_limit_of_what_hosts_report_follows_the_memory_of_the_service(stack: Stack) -> None:
    [row] = wait_until(
        lambda: stack.ask("query", query="pombo_exporter_limits{limit='bytes'}")["result"],
        bool,
        "the exporter's limits",
        within=30,
        every=0.25,
    )
    assert int(row["value"][1]) == (2**30 - 96 * 2**20) // 2


def test_pages_are_for_this_machine_only_and_reports_for_all(stack: Stack) -> None:
    def ports(protocol: str, state: str) -> set[str]:
        tables = [f"/proc/net/{protocol}", f"/proc/net/{protocol}6"]
        lines = stack.containers.execute("exporter", "cat", *tables).stdout.splitlines()
        fields = [line.split() for line in lines]
        return {row[1] for row in fields if len(row) > 3 and row[3] == state}

    assert ports("tcp", "0A") == {f"0100007F:{port:04X}" for port in (5005, 9090)}
    [received] = ports("udp", "07")
    assert int(received.split(":")[0], 16) == 0
    assert int(received.split(":")[1], 16) == 5005


def test_agent_in_its_container_reports_the_hosts_filesystems_and_no_others(stack: Stack) -> None:
    sizes = stack.rows("host_filesystem_size_bytes", "mountpoint")
    root = os.statvfs("/")
    assert sizes["/"] == root.f_blocks * root.f_frsize
    mounted = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    assert sizes.keys() <= mounted
    assert stack.rows("host_filesystem_readonly", "mountpoint")["/"] == 0


def test_agent_in_its_container_measures_the_hosts_memory_and_cores(stack: Stack) -> None:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert list(stack.rows("host_memory_total_bytes", "job").values()) == [total]
    assert len(stack.rows("host_cpu_usage_ratio", "cpu")) == os.cpu_count()


def test_prometheus_reads_the_exporter_and_knows_every_rule(stack: Stack) -> None:
    assert stack.rows("pombo_host_up", "job") == {"pombo": 1}
    groups = stack.ask("rules")["groups"]
    files = {Path(group["file"]).name for group in groups}
    assert files == {path.name for path in (ROOT / "prometheus" / "rules").glob("*.yml")}


def test_documented_line_runs_the_agent_of_another_host(stack: Stack) -> None:
    text = (ROOT / "docs/install.md").read_text()
    [line] = re.findall(r"```sh\n(docker run .*?)```", text, re.DOTALL)
    line = line.replace("\\\n", " ").replace("EXPORTER", "127.0.0.1:5005")
    stack.containers.podman(*shlex.split(line)[1:], "--name=second")
    query = 'pombo_host_up{instance="second"} == 1'
    wait_until(lambda: stack.ask("query", query=query)["result"], bool, query, within=60)


def test_health_check_of_the_agent_fails_when_no_reports_arrive(stack: Stack) -> None:
    assert stack.containers.healthy("agent")
    assert stack.probe("agent")
    stack.containers.podman("stop", container("agent"))
    wait_until(lambda: stack.probe("agent"), lambda healthy: not healthy, "bad health")


def test_health_check_of_the_exporter_fails_when_it_is_gone(stack: Stack) -> None:
    assert stack.containers.healthy("exporter")
    assert stack.probe("exporter")
    stack.containers.podman("stop", container("exporter"))
    assert not stack.probe("exporter")
