"""The systemd units: how exposed they are, and what both programs can do as services."""

import subprocess
from collections.abc import Iterator

import pytest
from pombo_agent.collecting.deadlines import MAX_HANGING
from pombo_agent.options import COLLECTORS
from support.pages import Labels, Page, fetch_page, wait_until
from support.processes import found, free_port
from support.systemd import UNITS, Machine

#: In tenths, as systemd-analyze takes it.
MOST_EXPOSURE = 15

NAME = "web-1"

#: The mount point of a filesystem that only its user may look into.
HOME = "/home/web"

#: The calls that read the clock, and that can set it.
CLOCK = "adjtimex clock_adjtime"

#: As docs/secure.md has it.
KEYS = """
useradd --system --no-create-home --shell /usr/sbin/nologin pombo-agent
useradd --system --no-create-home --shell /usr/sbin/nologin pombo-exporter
install -d /etc/pombo
pombo-exporter keygen /etc/pombo/keys
chgrp pombo-exporter /etc/pombo/keys
chmod g+r /etc/pombo/keys
"""


@pytest.mark.parametrize("name", UNITS)
def test_exposure_of_a_unit_is_at_most_1_5(name: str) -> None:
    command = [found("systemd-analyze"), "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*command, f"--threshold={MOST_EXPOSURE}", UNITS[name]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Services:
    """The exporter and the agent as services of one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/metrics"
        machine.run("sh", "-euc", KEYS)
        machine.write(
            "/etc/pombo/exporter.yml",
            "seal.key-file: /etc/pombo/keys\nrequire-sealed: true\n"
            "state.file: /var/lib/pombo-exporter/hosts\n"
            f"udp.listen-address: 127.0.0.1:{port}\nweb.listen-address: 127.0.0.1:{port}\n",
        )
        every = "".join(f"collector.{name}: true\n" for name in COLLECTORS)
        self.settings = f"server: 127.0.0.1:{port}\ninterval: 500ms\n{every}"
        machine.write("/etc/pombo/every.yml", self.settings)
        self.write_settings(f"{self.settings}key-file: /etc/pombo/agent.key\n")
        self.write_key("agent", NAME)

    def write_settings(self, text: str) -> None:
        """Write the settings of the agent."""
        self.machine.write("/etc/pombo/agent.yml", text)

    def write_key(self, file: str, name: str) -> None:
        """Write the key of a host, which agents may read and not change."""
        command = ["install", "--mode=0640", "--group=pombo-agent", "/dev/stdin"]
        self.machine.run(*command, f"/etc/pombo/{file}.key", stdin=self.enrolled(name))

    def enrolled(self, name: str) -> str:
        flags = ("--seal.key-file=/etc/pombo/keys", "--format=key")
        return self.machine.run("pombo-exporter", "enroll", name, *flags)

    def page(self) -> Page:
        return fetch_page(self._url)

    def wait_for(self, up: float | None) -> Page:
        """Wait until the host is up (1), down (0) or unknown (None)."""
        return wait_until(
            self.page,
            lambda page: page.value("pombo_host_up", instance=NAME) == up,
            f"pombo_host_up to be {up}; {self.machine.logs()}",
        )

    def wait_until_only(self, other: str, prefix: str) -> None:
        """Wait until another host has the same series, and besides those with a prefix, if any."""

        def series(page: Page, instance: str) -> set[tuple[str, Labels]]:
            label = ("instance", instance)
            return {(name, labels - {label}) for name, labels in page.samples if label in labels}

        def differences() -> set[tuple[str, Labels]]:
            page = self.page()
            here, there = series(page, NAME), series(page, other)
            if not here or not there:  # the agent has just been started
                return here | there | {("pombo_host_up", frozenset())}
            expected = {each for each in there if prefix and each[0].startswith(prefix)}
            return here ^ there ^ expected

        wait_until(differences, lambda found: not found, "no other series to differ")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        services = Services(machine)
        machine.run("systemctl", "start", "pombo-exporter", "pombo-agent")
        services.wait_for(1)
        yield services
    finally:
        machine.close()


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say_against_a_unit(services: Services, name: str) -> None:
    command = f"systemd-analyze verify /run/units/{name}.service 2>&1"
    assert services.machine.run("sh", "-c", command) == ""


def test_agent_may_have_a_thread_for_each_call_that_hangs(services: Services) -> None:
    of_collectors_and_mounts = 2 * MAX_HANGING
    assert int(services.machine.property("pombo-agent", "TasksMax")) > of_collectors_and_mounts


def test_agent_runs_as_a_user_of_its_own_that_can_only_read_its_key(services: Services) -> None:
    machine = services.machine
    pid = machine.property("pombo-agent", "MainPID")
    files = f"/proc/{pid}", "/etc/pombo/agent.key"
    shown = machine.run("stat", "--format=%U %G %a", *files)
    assert shown.splitlines() == ["pombo-agent pombo-agent 555", "root pombo-agent 640"]


OUTSIDE = """
[Service]
User=pombo-agent
CapabilityBoundingSet=
ExecStart=pombo-agent --config.file=/etc/pombo/every.yml --key-file=/etc/pombo/outside.key
"""


def test_unit_hides_only_the_state_of_the_clock_from_collectors(services: Services) -> None:
    machine = services.machine
    machine.run("mount", "--mkdir", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", HOME)
    services.write_key("outside", "outside")
    machine.write("/run/units/pombo-outside.service", OUTSIDE)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "pombo-outside")
    machine.run("systemctl", "restart", "pombo-agent")  # so that both find the same services
    services.wait_until_only("outside", "node_timex_")
    page = services.page()
    assert {"node_timex_sync_status", "node_procs_running"} <= page.measured("outside")
    assert page.rows("node_filesystem_size_bytes", instance=NAME, mountpoint=HOME)

    machine.drop_in("pombo-agent", "clock", "ProtectClock=no", f"SystemCallFilter={CLOCK}")
    assert (
        f"#   ProtectClock=no\n#   SystemCallFilter={CLOCK}\n" in UNITS["pombo-agent"].read_text()
    )
    machine.run("systemctl", "restart", "pombo-agent")
    services.wait_until_only("outside", "")
    machine.run("systemctl", "stop", "pombo-outside")


def test_reload_reads_the_keys_again_and_keeps_the_process(services: Services) -> None:
    machine = services.machine
    pid = machine.property("pombo-exporter", "MainPID")
    machine.run("sh", "-c", f"echo deny {NAME} >> /etc/pombo/keys")
    machine.run("systemctl", "reload", "pombo-exporter")
    services.wait_for(None)
    machine.run("sed", "--in-place", "/^deny/d", "/etc/pombo/keys")
    machine.run("systemctl", "reload", "pombo-exporter")
    services.wait_for(1)
    assert machine.property("pombo-exporter", "MainPID") == pid


def test_hosts_are_known_after_a_restart_of_the_exporter(services: Services) -> None:
    machine = services.machine
    assert services.page().value("pombo_exporter_state_load_errors_total") == 1
    machine.run("systemctl", "restart", "pombo-exporter")
    assert f'"name":"{NAME}"' in machine.run("cat", "/var/lib/pombo-exporter/hosts")
    page = services.wait_for(1)
    assert page.value("pombo_exporter_state_load_errors_total") == 0
    assert page.value("pombo_exporter_state_write_errors_total") == 0


def test_agent_without_a_key_reports_in_plain(services: Services) -> None:
    services.write_settings(services.settings)
    services.machine.run("systemctl", "restart", "pombo-agent")
    wait_until(
        services.page,
        lambda page: page.value("pombo_exporter_datagrams_refused_total", reason="not_sealed"),
        "the exporter to refuse plain reports",
    )


def test_agent_without_a_server_is_skipped_and_says_what_to_set(services: Services) -> None:
    services.write_settings("#server: exporter.example.org\n")
    services.machine.run("systemctl", "restart", "pombo-agent")
    said = wait_until(
        lambda: services.machine.run("cat", "/run/pombo-agent.out"), bool, "what is missing"
    )
    assert said == (
        "no server is set: write server: HOST into /etc/pombo/agent.yml, "
        "then run systemctl restart pombo-agent\n"
    )
    wait_until(
        lambda: services.machine.property("pombo-agent", "ActiveState"),
        lambda state: state == "inactive",
        "the unit to be skipped",
    )


@pytest.mark.parametrize("name", UNITS)
def test_mistake_in_the_settings_is_logged_once(services: Services, name: str) -> None:
    file = f"/etc/pombo/{name.removeprefix('pombo-')}.yml"
    services.machine.write(file, "server: 127.0.0.1\nlog.levle: warn\n")
    services.machine.run("truncate", "--size=0", f"/run/{name}.log")
    services.machine.run("systemctl", "restart", name)
    wait_until(
        lambda: services.machine.property(name, "ActiveState"),
        lambda state: state == "failed",
        "the unit to fail",
    )
    assert services.machine.run("cat", f"/run/{name}.log").count(f"Error: {file}:") == 1
