"""`pombo-agent check` and the log of an agent: each fault by turns, in networks of the kernel.

Real agents and exporters are in networks with a router between them, on which packets are dropped.
"""

import json
import os
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Authority
from support.namespaces import ROUTER, SERVERS, SILENT, Network
from support.pages import wait_until
from support.processes import BIN, ROOT, Launcher, Process
from support.sealing import KeyFiles

NAME = "web-1"
EXPORTER, SILENT_ADDRESS = SERVERS[0][0], SILENT[0]
SECONDS = 1  # between reports
WITHIN = 15.0  # seconds in which each fault is named, by the log as by the check
DAY = 86_400.0
LOCAL = "--web.listen-address=127.0.0.1:5005"  # an API that agents do not reach


class Checked:
    """What a check has found."""

    def __init__(self, done: "subprocess.CompletedProcess[str]", seconds: float) -> None:
        assert done.returncode in (0, 1), done.stderr
        self.code, self.seconds = done.returncode, seconds
        self.found: dict[str, Any] = json.loads(done.stdout)
        [self.server] = self.found["servers"]
        assert self.found["ok"] == (self.code == 0)

    def wrong(self) -> dict[str, str]:
        """Return the texts of what is wrong, by their keys."""
        facts = {**self.found["host"]["facts"], **self.server["facts"]}
        return {key: fact["text"] for key, fact in facts.items() if fact["mark"] == "wrong"}

    def fact(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server["facts"][key]
        return found

    def remedies(self) -> str:
        """Return all that is to be done, as words and as commands."""
        found = [*self.found["host"]["remedies"], *self.server["remedies"]]
        return "\n".join(
            line
            for remedy in found
            for line in (remedy["text"], *(command["line"] for command in remedy["commands"]))
        )


class Site:
    """A network, the keys of a fleet, and what is started in the network."""

    def __init__(self, network: Network, start: Launcher, folder: Path) -> None:
        self.network, self.start, self.folder = network, start, folder
        self.keys = KeyFiles(folder)

    def exporter(self, *flags: str, is_sealed: bool = True) -> Process:
        keys = [f"--seal.key-file={self.keys.fleet}"] if is_sealed else []
        command = [*self.network.servers.entered(), str(BIN / "pombo-exporter"), *keys, *flags]
        exporter = self.start.program(*command)
        wait_until(lambda: exporter.log, lambda log: "exporter listens" in log, "the exporter")
        return exporter

    def agent(self, *flags: str, env: dict[str, str] | None = None) -> Process:
        command = [str(BIN / "pombo-agent"), f"--server={EXPORTER}", f"--interval={SECONDS}s"]
        return self.start.program(*self.network.agents.entered(), *command, *flags, env=env)

    def sealed(self, *flags: str, env: dict[str, str] | None = None) -> Process:
        """Start an agent with the key of its host."""
        return self.agent(f"--key-file={self.keys.of_host(NAME)}", *flags, env=env)

    def check(self, *flags: str, env: dict[str, str] | None = None) -> Checked:
        command = ["check", f"--server={EXPORTER}", "--format=json", "--timeout=2s"]
        arguments = [*self.network.agents.entered(), str(BIN / "pombo-agent"), *command, *flags]
        began = time.monotonic()
        done = subprocess.run(
            arguments,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **(env or {})},
        )
        return Checked(done, time.monotonic() - began)

    def check_sealed(self, *flags: str, **options: Any) -> Checked:
        key = f"--key-file={self.keys.of_host(NAME)}"
        return self.check(key, "--probes=20", *flags, **options)

    def check_plain(self, *flags: str) -> Checked:
        return self.check(f"--name={NAME}", *flags)

    def drop(self, *rule: str) -> None:
        """Let the router drop what matches, without a word."""
        self.network.filter("-A", "FORWARD", *rule, "-j", "DROP")


@pytest.fixture
def site(start: Launcher, tmp_path: Path) -> Iterator[Site]:
    with Network(tmp_path) as network:
        yield Site(network, start, tmp_path)
        start.close()


def line(agent: Process, message: str, within: float = WITHIN) -> str:
    """Return the first log line with a message, once it is there."""

    def found() -> list[str]:
        return [each for each in agent.log.splitlines() if f'msg="{message}"' in each]

    return wait_until(found, bool, f"the line {message!r}", within)[0]


UNHEARD = "exporter does not answer"


# --- all is well ---


def test_nothing_is_wrong_where_reports_arrive(site: Site) -> None:
    site.exporter()
    agent = site.sealed()
    assert "heard_from=10.1.0.2:" in line(agent, "exporter answers")
    checked = site.check("--probes=100", f"--key-file={site.keys.of_host(NAME)}")
    assert checked.wrong() == {}
    assert checked.code == 0
    assert checked.seconds < WITHIN
    assert checked.fact("loss") == {
        "mark": "ok",
        "text": "0 of 100 probes",
        "sent": 100,
        "lost": 0,
        "lost_ratio": 0,
    }
    assert checked.fact("answer")["seen_as"].startswith("10.1.0.2:")
    assert checked.fact("nat")["mark"] == "ok"
    assert checked.fact("path_mtu")["known_bytes"] == 1500
    assert abs(checked.fact("clock")["exporter_ahead_seconds"]) < 1
    assert checked.fact("reports")["state"] == "live"
    trip = checked.fact("round_trip")
    assert 0 < trip["min_seconds"] <= trip["median_seconds"] <= trip["max_seconds"]
    host = checked.found["host"]["facts"]
    assert (host["name"]["name"], host["name"]["source"]) == (NAME, "the key")
    assert host["report"]["bytes"] > 500
    assert host["report"]["bytes_per_hour"] > 500 * 720


def test_agent_logs_once_what_it_sends_and_where(site: Site) -> None:
    site.exporter()
    site.network.resolve({"exporter.test": [EXPORTER]})
    command = ["--server=exporter.test", f"--key-file={site.keys.of_host(NAME)}"]
    program = [*site.network.agents.entered(), str(BIN / "pombo-agent"), "--interval=200ms"]
    agent = site.start.program(*program, *command)
    said = line(agent, "reports are sent")
    assert f"server=exporter.test:5005 address={EXPORTER}:5005 " in said
    assert 'form="packed, sealed" datagrams=' in said
    fields = dict(each.split("=") for each in said.split() if each.count("=") == 1)
    assert int(fields["bytes_per_hour"]) == int(fields["bytes"]) * 3600 * 5
    line(agent, "exporter answers")
    assert agent.log.count("reports are sent") == 1


def checked_at(site: Site, server: str) -> dict[str, Any]:
    """Return the facts about another address or name of the exporter, with which all is well."""
    command = [*site.network.agents.entered(), str(BIN / "pombo-agent"), "check", "--format=json"]
    where = [f"--server={server}", f"--key-file={site.keys.of_host(NAME)}", "--probes=10"]
    done = subprocess.run(
        [*command, *where], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [found] = json.loads(done.stdout)["servers"]
    facts: dict[str, Any] = found["facts"]
    return facts


@pytest.mark.slow
def test_exporter_is_checked_over_ipv6_and_by_the_second_of_its_addresses(site: Site) -> None:
    site.exporter()
    facts = checked_at(site, f"[{SERVERS[0][1]}]")
    assert facts["answer"]["seen_as"].startswith("[fd00:1::2]:")
    assert facts["nat"]["mark"] == "ok"
    assert facts["path_mtu"]["is_whole"]
    assert facts["reports"]["url"] == "http://[fd00:2::2]:5005"
    site.network.resolve({"exporter.test": [SILENT_ADDRESS, EXPORTER]})
    facts = checked_at(site, "exporter.test")
    assert facts["address"]["addresses"] == [SILENT_ADDRESS, EXPORTER]
    assert facts["silent_addresses"]["silent"] == [SILENT_ADDRESS]
    assert facts["answer"]["address"] == EXPORTER


def test_check_of_plain_reports_asks_the_api(site: Site) -> None:
    site.exporter(is_sealed=False)
    site.agent(f"--name={NAME}")
    wait_until(
        site.check_plain,
        lambda checked: checked.fact("reports").get("state") == "live",
        "the host",
    )
    checked = site.check_plain()
    assert checked.code == 0
    assert checked.fact("datagrams")["mark"] == "ok"


# --- each fault ---


def test_exporter_that_is_off_is_named(site: Site) -> None:
    agent = site.sealed()
    checked = site.check_sealed()
    assert checked.seconds < WITHIN
    assert "Connection refused" in checked.wrong()["answer"]
    assert "ss --listening --udp" in checked.remedies()
    said = line(agent, "send failed")
    assert f"address={EXPORTER}:5005" in said
    assert 'error="[Errno 111] Connection refused" remedy="start the exporter' in said
    line(agent, UNHEARD)
    site.exporter()
    line(agent, "exporter answers")


@pytest.mark.slow
def test_exporter_that_is_off_is_named_to_a_plain_agent_and_that_it_is_back(site: Site) -> None:
    agent = site.agent(f"--name={NAME}")
    checked = site.check_plain()
    assert "Connection refused" in checked.wrong()["datagrams"]
    assert "systemctl status pombo-exporter" in checked.remedies()
    assert 'remedy="start the exporter' in line(agent, "send failed")
    assert 'answers="none, without --key-file"' in line(agent, "agent started")
    site.exporter(is_sealed=False)
    line(agent, "sending works again")
    assert agent.log.count("send failed") == 1


@pytest.mark.slow
def test_datagrams_that_a_firewall_drops_are_named(site: Site) -> None:
    site.exporter()
    site.drop("-p", "udp", "--dport", "5005")
    agent = site.sealed()
    checked = site.check_sealed()
    assert checked.seconds < WITHIN
    assert "they do not arrive" in checked.wrong()["answer"]
    assert "sudo ufw allow 5005/udp" in checked.remedies()
    assert "firewall-cmd" in checked.remedies()
    assert "nft insert rule" in checked.remedies()
    said = line(agent, UNHEARD)
    assert 'trying="a new socket and lookup" remedy="open its UDP port in the firewalls' in said
    site.network.filter("-F", "FORWARD")
    line(agent, "exporter answers")


@pytest.mark.slow
def test_what_cannot_be_known_is_said_where_nothing_answers(site: Site) -> None:
    site.exporter()
    site.drop()
    checked = site.check_sealed()
    assert checked.seconds < WITHIN
    assert "most probable first: a firewall drops UDP; the key" in checked.wrong()["answer"]
    assert "no answer in time" in checked.fact("reports")["text"]
    plain = site.check_plain()
    assert plain.code == 0, "nothing is known to be wrong"
    assert plain.fact("datagrams")["mark"] == "unknown"
    assert plain.seconds < WITHIN
    one_way = site.check_sealed("--one-way")
    assert one_way.code == 0, "answers may be what the network drops"
    assert one_way.fact("answer")["mark"] == "unknown"


@pytest.mark.slow
def test_plain_datagrams_that_a_firewall_drops_are_named(site: Site) -> None:
    site.exporter(is_sealed=False)
    checked = site.check_plain()
    assert checked.code == 0
    assert checked.fact("datagrams")["seen_as"] == "10.1.0.2"
    assert "systemctl status pombo-agent" in checked.remedies()
    site.drop("-p", "udp")
    checked = site.check_plain()
    assert "do not arrive" in checked.wrong()["datagrams"]
    assert "sudo ufw allow 5005/udp" in checked.remedies()


@pytest.mark.slow
@pytest.mark.parametrize("is_api_open", [True, False], ids=["open", "closed"])
def test_wrong_key_is_named(site: Site, *, is_api_open: bool) -> None:
    site.exporter(*([] if is_api_open else [LOCAL]))
    (site.folder / "other").mkdir()
    key = f"--key-file={KeyFiles(site.folder / 'other').of_host(NAME)}"
    agent = site.agent(key)
    checked = site.check(key, "--probes=20")
    expected = "as unknown_key: key " if is_api_open else "do not answer a wrong key"
    assert expected in checked.wrong()["answer"]
    assert f"pombo-exporter enroll {NAME} --seal.key-file=FILE" in checked.remedies()
    assert "has this fleet's key" in line(agent, UNHEARD)


@pytest.mark.slow
def test_key_of_another_generation_is_named(site: Site) -> None:
    key = site.keys.of_host(NAME)
    with site.keys.fleet.open("a") as file:
        file.write(f"generation {NAME} 2\n")
    site.exporter()
    checked = site.check(f"--key-file={key}")
    assert "as revoked: the name is denied, or generation 0 is revoked" in checked.wrong()["answer"]


@pytest.mark.slow
def test_revoked_name_is_named(site: Site) -> None:
    key = site.keys.of_host(NAME)
    with site.keys.fleet.open("a") as file:
        file.write(f"deny {NAME}\n")
    site.exporter()
    agent = site.sealed()
    checked = site.check(f"--key-file={key}")
    assert "as revoked" in checked.wrong()["answer"]
    assert f"remove the line `deny {NAME}`" in checked.remedies()
    assert "does not deny this name" in line(agent, UNHEARD)
    plain = site.check_plain()
    assert "datagrams" in plain.wrong() or plain.fact("datagrams")["mark"] == "ok"


@pytest.mark.slow
def test_key_of_another_name_is_named(site: Site) -> None:
    site.exporter()
    agent = site.sealed("--name=db-1")
    assert agent.ended() == 2
    assert f"--name=db-1 is not the name of the key, {NAME}: omit it" in agent.log
    assert "pombo-exporter enroll db-1" in agent.log
    checked = site.check_sealed("--name=db-1")
    assert checked.wrong()["name"] == (
        f"--name is db-1, but the key is of {NAME}: the agent does not start"
    )
    assert "pombo-exporter enroll db-1" in checked.remedies()
    assert checked.fact("answer")["mark"] == "ok", "the rest is checked all the same"


def test_clock_that_is_a_day_off_is_named(site: Site) -> None:
    site.exporter()
    ahead = site.folder / "ahead"
    ahead.write_bytes(struct.pack("d", -DAY))
    env = {"FAULTS_CLOCK": str(ahead), "PYTHONPATH": str(ROOT / "faults/clock")}
    agent = site.sealed(env=env)
    checked = site.check_sealed(env=env)
    assert "the exporter's clock is 1 d ahead" in checked.wrong()["clock"]
    assert abs(checked.fact("clock")["exporter_ahead_seconds"] - DAY) < 5
    assert "timedatectl" in checked.remedies() or "chronyc" in checked.remedies()
    said = line(agent, "clocks of this host and the exporter differ")
    assert "exporter_ahead_seconds=86400." in said
    assert 'remedy="check the time synchronisation' in said


@pytest.mark.parametrize("flags", [(), (LOCAL,)], ids=["with the API", "by probes"])
@pytest.mark.slow
def test_two_hosts_with_one_name_are_named(site: Site, flags: Sequence[str]) -> None:
    site.exporter(*flags)
    first = site.sealed()
    line(first, "exporter answers")
    second = site.sealed()
    said = line(second, "another agent reports under this name")
    assert "give each host a key of its own" in said
    checked = site.check_sealed()
    assert f"two agents report as {NAME}" in checked.wrong()["conflict"]
    if not flags:
        assert "at 10.1.0.2" in checked.wrong()["conflict"]
    assert "pombo-exporter enroll OTHER-NAME" in checked.remedies()


@pytest.mark.slow
def test_two_plain_hosts_with_one_name_are_named(site: Site) -> None:
    site.exporter(is_sealed=False)
    for _ in range(2):
        site.agent(f"--name={NAME}")
    checked = wait_until(
        site.check_plain, lambda checked: "conflict" in checked.wrong(), "the conflict", WITHIN
    )
    assert "Give each a --name of its own" in checked.remedies()


def test_port_that_is_taken_is_named_by_the_exporter(start: Launcher) -> None:
    first = start.exporter()
    second = start.exporter(port=first.port, ready=False)
    assert second.ended() == 1
    assert 'msg="cannot listen" flag=--udp.listen-address' in second.log
    assert 'remedy="end what listens there, or give another address"' in second.log


def test_key_file_that_may_not_be_read_is_named(site: Site) -> None:
    site.exporter()
    key = site.keys.of_host(NAME)
    key.chmod(0o000)
    # As a user without any privilege, whatever runs the tests.
    agent = [str(BIN / "pombo-agent"), f"--server={EXPORTER}", f"--key-file={key}"]
    run = subprocess.run(
        ["unshare", "--user", *agent], check=False, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert "Permission denied: let the user of this process read it" in run.stderr
    agent.insert(1, "check")
    check = subprocess.run(
        ["unshare", "--user", *agent], check=False, capture_output=True, text=True, timeout=60
    )
    assert check.returncode == 1, check.stderr
    assert f"✗ key {key}: Permission denied" in " ".join(check.stdout.split())
    assert "has the mode 0000" in check.stdout
    assert "sudo pombo-agent check" in check.stdout


@pytest.mark.slow
def test_key_file_that_others_may_read_is_named(site: Site) -> None:
    site.exporter()
    key = site.keys.of_host(NAME)
    key.chmod(0o604)
    checked = site.check_sealed()
    assert "others may read or write it" in checked.wrong()["key"]
    assert f"chmod o= {key}" in checked.remedies()


@pytest.mark.slow
def test_packet_filter_of_the_host_itself_is_named(site: Site) -> None:
    site.exporter()
    site.network.agents.run("iptables", "-A", "OUTPUT", "-p", "udp", "-j", "DROP")
    agent = site.sealed()
    checked = site.check_sealed()
    assert "Operation not permitted" in checked.wrong()["answer"]
    assert "nft list ruleset" in checked.remedies()
    said = line(agent, "send failed")
    assert "Operation not permitted" in said
    assert 'remedy="let the packet filter of this host pass UDP' in said


@pytest.mark.slow
def test_host_without_a_route_is_named(site: Site) -> None:
    site.exporter()
    site.network.agents.run("ip", "route", "del", "default")
    agent = site.sealed()
    checked = site.check_sealed()
    assert "Network is unreachable" in checked.wrong()["answer"]
    assert "ip address; ip route" in checked.remedies()
    assert 'remedy="check the network of this host' in line(agent, "send failed")
    site.network.agents.run("ip", "route", "add", "default", "via", "10.1.0.1")
    line(agent, "exporter answers")


@pytest.mark.slow
def test_firewall_that_rejects_is_told_from_an_exporter_that_is_off(site: Site) -> None:
    site.exporter()
    site.network.router.run(
        *("iptables", "-A", "FORWARD", "-p", "udp", "--dport", "5005", "-j", "REJECT")
    )
    checked = site.check_sealed()
    assert "a firewall rejects UDP" in checked.wrong()["answer"]
    assert "sudo ufw allow 5005/udp" in checked.remedies()


@pytest.mark.slow
def test_name_that_is_unknown_is_named(site: Site) -> None:
    site.network.resolve({})
    agent = [*site.network.agents.entered(), str(BIN / "pombo-agent")]
    where = ["--server=nobody.invalid", f"--key-file={site.keys.of_host(NAME)}"]
    said = line(site.start.program(*agent, *where), "lookup failed")
    assert 'remedy="check the name in --server' in said
    done = subprocess.run(
        [*agent, "check", *where], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "✗ address" in done.stdout
    assert "getent ahosts nobody.invalid" in done.stdout


@pytest.mark.slow
def test_exporter_that_takes_only_sealed_reports_is_named(site: Site) -> None:
    site.exporter("--require-sealed")
    checked = site.check_plain()
    assert "refuses reports as not_sealed" in checked.wrong()["datagrams"]
    assert f"pombo-exporter enroll {NAME}" in checked.remedies()


# --- settings ---


def of_agent(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a check of this machine, with these variables alone."""
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables}
    command = [str(BIN / "pombo-agent"), "check", "--probes=10", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=env)


def test_installed_agent_is_checked_without_arguments(start: Launcher, tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path)
    exporter = start.exporter(f"--seal.key-file={keys.fleet}")
    folder = tmp_path / "home/.config/pombo"
    folder.mkdir(parents=True)
    key = keys.of_host(NAME)
    (folder / "agent.yml").write_text("label: {rack: 7}\n")
    home = str(tmp_path / "home")
    empty = of_agent(HOME=home)
    assert empty.returncode == 2
    assert f"no server is given in {folder}/agent.yml: write `server: HOST` there" in empty.stderr
    (folder / "agent.yml").write_text(f"server: {exporter.target}\nkey-file: {key}\n")
    checked = of_agent("--format=json", HOME=home)
    assert checked.returncode == 0, checked.stdout
    facts = json.loads(checked.stdout)["host"]["facts"]
    assert facts["configuration"]["file"] == f"{folder}/agent.yml"
    assert facts["key"]["path"] == str(key)
    assert facts["name"]["name"] == NAME


def test_configuration_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "pombo").mkdir()
    path = tmp_path / "pombo/agent.yml"
    path.write_text("server: a\n")
    path.chmod(0o000)
    done = subprocess.run(
        ["unshare", "--user", str(BIN / "pombo-agent"), "check"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(tmp_path)},
    )
    assert done.returncode == 1
    assert f"{path} cannot be read by this user" in done.stderr
    assert "Run: sudo pombo-agent check" in done.stderr


def test_check_without_any_settings_says_where_it_has_looked(tmp_path: Path) -> None:
    nothing = of_agent(HOME=str(tmp_path))
    assert nothing.returncode == 2
    assert f"{tmp_path}/.config/pombo/agent.yml" in nothing.stderr


@pytest.mark.parametrize("url", ["file:///etc/passwd", "exporter:5005", "http://u:secret@a", "x"])
def test_api_is_a_url_over_http_without_a_password(url: str, tmp_path: Path) -> None:
    refused = of_agent("--server=127.0.0.1:9", f"--api={url}", HOME=str(tmp_path))
    assert refused.returncode == 2
    assert "write http://HOST:PORT or https://HOST" in refused.stderr
    assert "secret" not in refused.stderr


def test_api_with_tls_is_asked_over_https(start: Launcher, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server", ip="127.0.0.1")
    config = tmp_path / "web.yml"
    config.write_text(
        f"tls_server_config: {{cert_file: {server.certificate}, key_file: {server.key}}}\n"
    )
    exporter = start.exporter(f"--web.config.file={config}", ready=False)
    wait_until(lambda: exporter.log, lambda log: "exporter listens" in log, "the exporter")
    where = (f"--server={exporter.target}", f"--name={NAME}", "--format=json")
    unverified, verified = of_agent(*where), of_agent(*where, f"--http.ca-file={authority.path}")
    [found] = json.loads(unverified.stdout)["servers"]
    assert "give --http.ca-file" in found["facts"]["reports"]["fault"]
    assert found["facts"]["datagrams"]["mark"] == "unknown"
    [found] = json.loads(verified.stdout)["servers"]
    assert found["facts"]["reports"]["url"] == f"https://{exporter.target}"
    assert found["facts"]["datagrams"]["seen_as"] == "127.0.0.1"


# --- the network between ---


def test_nat_is_told(site: Site) -> None:
    site.exporter()
    site.network.filter("-t", "nat", "-A", "POSTROUTING", "-o", "to-servers", "-j", "MASQUERADE")
    checked = site.check_sealed()
    assert checked.code == 0
    assert checked.fact("nat")["mark"] == "note"
    assert "sent from 10.1.0.2:" in checked.fact("nat")["text"]
    assert f"seen as {ROUTER[0]}:" in checked.fact("nat")["text"]


@pytest.mark.slow
def test_loss_is_measured(site: Site) -> None:
    site.exporter()
    every_third = ("-m", "statistic", "--mode", "nth", "--every", "3", "--packet", "0")
    site.drop("-p", "udp", "--dport", "5005", *every_third)
    checked = site.check_sealed("--probes=60")
    loss = checked.fact("loss")
    assert (loss["sent"], loss["lost"]) == (60, 20)
    assert checked.wrong()["loss"] == "33 %: 20 of 60 probes, on the way there or back"
    assert "mtr --report" in checked.remedies()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mtu", "icmp", "expected"),
    [
        (1280, True, (True, True, "ok")),
        (1000, True, (False, True, "note")),
        (1000, False, (False, False, "wrong")),
    ],
    ids=["1,280", "1,000", "1,000 and no word of it"],
)
def test_path_mtu_is_told(
    site: Site, mtu: int, *, icmp: bool, expected: tuple[bool, bool, str]
) -> None:
    site.exporter()
    site.network.router.run("ip", "link", "set", "to-servers", "mtu", str(mtu))
    if not icmp:
        too_big = ("-p", "icmp", "--icmp-type", "fragmentation-needed", "-j", "DROP")
        site.network.router.run("iptables", "-A", "OUTPUT", *too_big)
    checked = site.check_sealed()
    found = checked.fact("path_mtu")
    assert (found["is_whole"], found["arrives"], found["mark"]) == expected
    if mtu == 1000:
        assert mtu - 20 <= found["longest_bytes"] <= mtu
    assert checked.seconds < WITHIN
    if not icmp:
        assert "sudo ip link set dev eth0 mtu" in checked.remedies()


def test_text_for_people_is_one_line_a_fact_and_then_what_to_do(site: Site) -> None:
    site.exporter()
    site.drop("-p", "udp")
    command = [
        *site.network.agents.entered(),
        *(str(BIN / "pombo-agent"), "check", f"--server={EXPORTER}", "--timeout=1s"),
        f"--key-file={site.keys.of_host(NAME)}",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert lines[0] == "This host"
    assert f"{EXPORTER}:5005" in lines
    assert any(each.startswith("  ✗ answer") for each in lines)
    assert "What to do" in lines
    assert "       sudo ufw allow 5005/udp" in lines
    assert "\x1b" not in done.stdout
    assert "\x1b" not in done.stderr
