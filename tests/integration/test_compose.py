"""The images' Dockerfiles replayed, and the Compose file's services run as it says, but Grafana."""

import json
import os
import socket
import subprocess
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.containers import Image, Mount, Network, Root, built, compose, context, tools
from support.pages import wait_until
from support.processes import ROOT, Launcher, Process, found

SERVICES: dict[str, Any] = compose()["services"]


@pytest.fixture(scope="module", params=["agent", "exporter"])
def image(request: pytest.FixtureRequest, images: dict[str, Image]) -> Image:
    return images[request.param]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    names = ("agent", "exporter")
    files = [ROOT / SERVICES[name]["build"]["dockerfile"] for name in names]
    with ThreadPoolExecutor() as builders:
        found = builders.map(built, files, [tmp_path_factory.mktemp(name) for name in names])
        return dict(zip(names, found, strict=True))


class Container:
    """A service as the Compose file has it, in its image's root."""

    def __init__(self, service: str, image: Image, network: Network, directory: Path) -> None:
        settings = SERVICES[service]
        self._image = image
        self._network = network
        self._user = settings.get("user", image.user)
        self._read_only = settings["read_only"]
        self._mounts = [self._mount(volume, directory) for volume in settings.get("volumes", ())]
        check = settings["healthcheck"].get("test", ["CMD", *image.healthcheck])
        assert check[0] == "CMD"
        self._healthcheck = check[1:]
        self._command = settings["command"]

    @property
    def started(self) -> list[str]:
        """What starts it."""
        return self._within([*self._image.entrypoint, *self._command])

    def healthy(self) -> bool:
        """Run its health check once."""
        done = subprocess.run(
            self._within(self._healthcheck), capture_output=True, check=False, timeout=60
        )
        return done.returncode == 0

    def try_to(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another command in it."""
        return subprocess.run(
            self._within(command), capture_output=True, text=True, check=False, timeout=60
        )

    def _within(self, command: list[str] | tuple[str, ...]) -> list[str]:
        engines = [
            Mount(Path(f"/{name}"), name, read_only=False)
            for name in ("etc/hosts", "etc/hostname", "etc/resolv.conf")
            if Path(f"/{name}").is_file()
        ]
        return self._network.joined(
            self._image.root.command(
                command,
                user=self._user,
                read_only=self._read_only,
                mounts=[*engines, *self._mounts],
            )
        )

    @staticmethod
    def _mount(volume: dict[str, Any], directory: Path) -> Mount:
        if volume["type"] == "volume":
            source = directory / volume["source"]
            source.mkdir()
            source.chmod(0o777)  # as an engine gives it to the image's user
            return Mount(source, volume["target"], read_only=False)
        source = (ROOT / volume["source"]).resolve()
        return Mount(source, volume["target"], volume["read_only"])


class Stack(NamedTuple):
    """The services that run, and how to read their pages."""

    network: Network
    containers: dict[str, Container]
    processes: dict[str, Process]

    def fetch(self, url: str) -> str:
        """Return what a server in the network answers.

        Raises:
            OSError: when it does not.
        """
        program = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
        command = self.network.joined([sys.executable, "-c", program, url])
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise OSError(done.stderr)
        return done.stdout

    def ask(self, what: str, **parameters: str) -> Any:
        """Return what Prometheus' API says."""
        query = urllib.parse.urlencode(parameters)
        return json.loads(self.fetch(f"http://127.0.0.1:9090/api/v1/{what}?{query}"))["data"]

    def rows(self, expression: str, label: str) -> dict[str, float]:
        """Return the value of each series of this host, once there are some, by one label."""
        name = socket.gethostname()
        found = wait_until(
            lambda: self.ask("query", query=expression)["result"], bool, expression, within=30
        )
        assert {row["metric"]["instance"] for row in found} == {name}
        values = {row["metric"][label]: float(row["value"][1]) for row in found}
        assert len(values) == len(found)
        return values


@pytest.fixture(scope="module")
def stack(
    start_once: Launcher, images: dict[str, Image], tmp_path_factory: pytest.TempPathFactory
) -> Stack:
    directory = tmp_path_factory.mktemp("stack")
    network = Network(directory / "network.log")
    start_once.kept(network.holder)
    wait_until(lambda: network.ready, bool, "a network")
    base = Root(directory / "prometheus-image", tools(directory / "tools"))
    images["prometheus"] = Image(base, [found("prometheus")], "65534:65534", [])
    stack = Stack(network, {}, {})
    for service in ("exporter", "agent", "prometheus"):
        container = Container(service, images[service], network, directory)
        stack.containers[service] = container
        stack.processes[service] = start_once.program(*container.started)
        wait_until(
            lambda: (container.healthy(), stack.processes[service].log),  # noqa: B023 - called at once
            lambda seen: seen[0],
            f"{service} to be healthy",
            within=60,
        )
    return stack


def test_context_of_the_images_is_no_more_than_the_packages_and_their_pins() -> None:
    names = {str(path.relative_to(ROOT)) for path in context()}
    assert {name.split("/")[0] for name in names} == {
        *("agent", "cli", "constraints.txt", "exporter", "wire"),
    }
    assert not any("__pycache__" in name or "egg-info" in name for name in names)


def test_image_has_its_command_and_nothing_to_install_more_with(image: Image) -> None:
    [command] = image.entrypoint
    programs = {path.name for path in (image.root.directory / "pombo/bin").iterdir()}
    assert Path(command).name in programs
    assert not any(name.startswith("pip") for name in programs)
    assert not {"pytest", "mypy", "ruff"} & programs


def test_image_runs_as_nobody(image: Image) -> None:
    assert image.user == "65534:65534"


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


@pytest.mark.parametrize("service", ["exporter", "agent", "prometheus"])
def test_service_can_write_nowhere_but_on_its_volumes(stack: Stack, service: str) -> None:
    container = stack.containers[service]
    for place in ("/", "/usr", "/etc", "/host/root"):
        tried = container.try_to("/bin/sh", "-c", f"echo > {place}/pombo-was-here")
        assert tried.returncode != 0, place
    assert not Path("/pombo-was-here").exists()


@pytest.mark.parametrize("service", ["exporter", "agent", "prometheus"])
def test_service_has_no_capability(stack: Stack, service: str) -> None:
    process = stack.processes[service]
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    said = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert {said[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert said["NoNewPrivs"] == "1"


def test_pages_are_for_this_machine_only_and_reports_for_all(stack: Stack) -> None:
    shown = subprocess.run(
        stack.network.joined(["cat", "/proc/net/tcp", "/proc/net/tcp6"]),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    lines = [line.split() for line in shown.splitlines()]
    listening = {fields[1] for fields in lines if len(fields) > 3 and fields[3] == "0A"}
    assert listening == {f"0100007F:{port:04X}" for port in (5005, 9090)}


def test_health_check_of_the_agent_fails_when_no_reports_arrive(stack: Stack) -> None:
    assert stack.containers["agent"].healthy()
    stack.processes["agent"].end()
    wait_until(stack.containers["agent"].healthy, lambda healthy: not healthy, "bad health")


def test_health_check_of_the_exporter_fails_when_it_is_gone(stack: Stack) -> None:
    assert stack.containers["exporter"].healthy()
    stack.processes["exporter"].end()
    assert not stack.containers["exporter"].healthy()
