"""The command: its flags, and an agent as a process."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from string import ascii_letters

import pytest
from click.testing import CliRunner, Result
from pombo_agent.options import COLLECTORS, command
from pombo_agent.settings import Options, from_text, to_text
from pombo_agent.transport.crypto import CRYPTO
from pombo_cli.addresses import Address
from pombo_wire.keys import derived, host_key_text, new_fleet_key
from pombo_wire.reading import Datagram, read
from pombo_wire.schema import Header
from pombo_wire.section import Section
from support.collectors import default_excludes
from support.datagrams import sections_in
from support.processes import compile_packages

PROGRAM = [sys.executable, "-m", "pombo_agent"]


def parsed(*arguments: str, **variables: str) -> Options:
    """Return the options of these flags and variables."""
    given: list[Options] = []
    result = CliRunner().invoke(command(given.append), arguments, env=variables)
    assert result.exit_code == 0, result.output
    return given[0]


def usage_error(*arguments: str, **variables: str) -> str:
    """Return the error message about these flags and variables."""
    result: Result = CliRunner().invoke(command(lambda _: None), arguments, env=variables)
    assert result.exit_code == 2, result.output
    return result.output


def test_only_the_server_is_required() -> None:
    options = parsed("--server", "exporter")
    assert options.servers == (Address("exporter", 5005),)
    assert options.name == socket.gethostname()
    assert options.follow_hostname
    assert not parsed("--server=a", "--name=pi").follow_hostname
    assert not parsed("--server=a", POMBO_NAME="pi").follow_hostname
    assert options.interval == 5
    assert options.labels == {}
    assert {"cpu", "meminfo", "filesystem", "diskstats", "netdev"} <= {*options.collectors}
    assert options.collectors["filesystem"]["fs-types"].keeps("ext4")
    assert not options.collectors["filesystem"]["fs-types"].keeps("proc")


def test_lists_in_variables_are_split_at_white_space() -> None:
    options = parsed(POMBO_SERVER="a [::1]:7", POMBO_LABEL="rack=7 room=b=c", POMBO_NAME="pi")
    assert options.servers == (Address("a", 5005), Address("::1", 7))
    assert options.labels == {"rack": "7", "room": "b=c"}
    assert options.name == "pi"


def test_lists_in_variables_are_split_at_commas_outside_of_quotes() -> None:
    options = parsed(
        POMBO_SERVER="a:1,b:2 , c", POMBO_LABEL='room=a,rack="7, left"\nowner=\'O"Hara\' tag=#1'
    )
    assert [*map(str, options.servers)] == ["a:1", "b:2", "c:5005"]
    assert options.labels == {"room": "a", "rack": "7, left", "owner": 'O"Hara', "tag": "#1"}
    assert parsed("--server=a", "--label=room=a, b").labels == {"room": "a, b"}
    assert "No closing quotation" in usage_error("--server=a", POMBO_LABEL='room="a')


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """Return the path of a file with the key of the host ``pi``."""
    key = derived(CRYPTO, new_fleet_key(CRYPTO), 0, "pi")
    path = tmp_path / "host.key"
    path.write_text(host_key_text(CRYPTO, key))
    path.chmod(0o600)
    return str(path)


def test_reports_go_to_all_servers_or_to_the_first_that_answers(key_file: str) -> None:
    servers = ("--server=a", "--server=b", f"--key-file={key_file}")
    assert parsed(*servers).server_mode == "all"
    failover = parsed(*servers, "--server-mode=failover")
    assert failover.server_mode == "failover"
    assert from_text(to_text(failover)) == failover
    assert parsed(*servers, POMBO_SERVER_MODE="failover") == failover
    assert "'all', 'failover', 'shard'" in usage_error(*servers, "--server-mode=one")


def test_each_report_goes_to_as_many_servers_as_there_are_replicas(key_file: str) -> None:
    shard = ("--server=a", "--server=b", "--server-mode=shard")
    assert parsed(*shard).server_replicas == 1
    replicas = parsed(*shard, "--server-replicas=2", f"--key-file={key_file}")
    assert (replicas.server_mode, replicas.server_replicas) == ("shard", 2)
    assert from_text(to_text(replicas)) == replicas
    assert parsed(*shard, "--server-replicas=2", "--one-way").server_replicas == 2
    error = usage_error("--server=a", "--server-replicas=2")
    assert "--server-replicas needs --server-mode=shard" in error
    assert "--server-replicas" in usage_error(*shard, "--server-replicas=0")


def test_failover_needs_answers(key_file: str) -> None:
    failover = ("--server=a", "--server=b", "--server-mode=failover")
    error = usage_error(*failover)
    assert "--server-mode=failover needs --key-file" in error
    assert "pombo-exporter enroll" in error
    error = usage_error(*failover, f"--key-file={key_file}", "--one-way")
    assert "exclude each other" in error
    assert "omit one of them" in error


def test_collector_is_disabled_by_flag_and_by_variable() -> None:
    off = parsed("--server=a", "--no-collector.cpu", POMBO_COLLECTOR_NETDEV="false").collectors
    assert "cpu" not in off
    assert "netdev" not in off
    assert "netdev" in parsed("--server=a", "--collector.netdev").collectors


def test_number_of_processes_and_their_command_lines_are_flags() -> None:
    found = parsed("--server=a").collectors["top-processes"]
    assert found == {"count": 5, "command-lines": False}
    name = "--collector.top-processes"
    changed = parsed("--server=a", f"{name}.count=32", f"{name}.command-lines")
    assert changed.collectors["top-processes"] == {"count": 32, "command-lines": True}
    assert from_text(to_text(changed)) == changed
    for wrong in ("0", "33", "-1", "1.5", "x"):
        error = usage_error("--server=a", f"{name}.count={wrong}")
        assert "--collector.top-processes.count" in error


def test_defaults_are_disabled_by_flag_by_variable_and_by_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.yml"
    path.write_text("collector.disable-defaults: true\ncollector.netdev: true\n", "utf-8")
    server = "--server=a"
    assert {*parsed(server, "--collector.disable-defaults").collectors} == set()
    variables = {"POMBO_COLLECTOR_DISABLE_DEFAULTS": "true", "POMBO_COLLECTOR_NETDEV": "1"}
    for options in (
        parsed(server, "--collector.disable-defaults", "--collector.netdev"),
        parsed(server, **variables),
        parsed(server, f"--config.file={path}"),
        parsed(server, "--collector.disable-defaults", POMBO_COLLECTOR_NETDEV="true"),
    ):
        assert {*options.collectors} == {"netdev"}
    off = parsed(server, f"--config.file={path}", "--no-collector.netdev", "--collector.cpu")
    assert {*off.collectors} == {"cpu"}
    assert "cpu" in parsed(server, POMBO_COLLECTOR_DISABLE_DEFAULTS="false").collectors


def test_file_has_the_same_flags(tmp_path: Path) -> None:
    path = tmp_path / "agent.yml"
    path.write_text(
        "server: [a, '[::1]:7']\n"
        "name: pi\n"
        "interval: 10s\n"
        "label: {rack: 7, room: a b}\n"
        "collector.cpu: false\n"
        "collector.filesystem.mount-points-exclude: ^/mnt\n"
        "path.rootfs: /host\n",
        "utf-8",
    )
    flags = (
        *("--server=a", "--server=[::1]:7", "--name=pi", "--interval=10s"),
        *("--label=rack=7", "--label=room=a b", "--no-collector.cpu"),
        *("--collector.filesystem.mount-points-exclude=^/mnt", "--path.rootfs=/host"),
    )
    options = parsed(f"--config.file={path}")
    assert options == parsed(*flags)
    assert not options.follow_hostname
    overriding = parsed(f"--config.file={path}", "--label=rack=8", POMBO_INTERVAL="20s")
    assert overriding == options._replace(labels={"rack": "8"}, interval=20)


def test_filter_of_a_flag_overrides_the_opposite_one_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.yml"
    name, flag = "collector.netdev.device", "--collector.netdev.device"
    for of_file, of_flag in (("include", "exclude"), ("exclude", "include")):
        path.write_text(f"{name}-{of_file}: ^a\n", "utf-8")
        given = (f"--config.file={path}", "--server=a")
        for options in (
            parsed(*given, f"{flag}-{of_flag}=^b"),
            parsed(*given, **{f"POMBO_COLLECTOR_NETDEV_DEVICE_{of_flag.upper()}": "^b"}),
        ):
            expected = parsed("--server=a", f"{flag}-{of_flag}=^b")
            assert options == expected
        path.write_text(f"{name}-include: ^a\n{name}-exclude: ^b\n", "utf-8")
        assert "exclude each other" in usage_error(*given)


def test_example_in_the_document_is_valid(tmp_path: Path) -> None:
    settings = Path(__file__).parents[2] / "docs/settings.md"
    [block] = re.findall(r"```yaml\n(server:.*?)```", settings.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "agent.yml"
    path.write_text(block, "utf-8")
    options = parsed(f"--config.file={path}")
    assert len(options.servers) == 2
    assert options.labels == {"rack": "7", "room": "hall 2"}
    assert "cpu" not in options.collectors


def help_by_section() -> dict[str, str]:
    """Return the help by the titles of its sections."""
    result = CliRunner().invoke(command(lambda _: None), ["--help"])
    assert result.exit_code == 0
    parts = re.split(r"^(\w[\w ]+):\n", result.output, flags=re.MULTILINE)
    assert max(map(len, result.output.splitlines())) <= 100
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_help_has_every_collector_once_sorted_by_whether_it_is_enabled() -> None:
    sections = help_by_section()
    shown = {
        title: re.findall(
            r"^  --collector\.([\w-]+) / --no-collector\.([\w-]+)$",
            sections.get(f"Collectors {title} by default", ""),
            re.MULTILINE,
        )
        for title in ("enabled", "disabled")
    }
    for title, pairs in shown.items():
        enabled = title == "enabled"
        names = sorted(name for name, found in COLLECTORS.items() if found.enabled is enabled)
        assert pairs == [(name, name) for name in names]
    own = [each.opts[0] for each in command(lambda _: None).params if each.opts[0].count(".") > 1]
    of_collectors = [name for name in own if name.startswith("--collector.")]
    text = sections["Options of collectors"].replace(", --", " --")  # another name
    positions = [text.index(f"  {name} ") for name in of_collectors]
    assert positions == sorted(positions)
    assert "--collector.disable-defaults" in sections["Options"]
    assert "--config.file FILE" in sections["Options"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POMBO_COLLECTOR_CPU", "maybe"),
        ("POMBO_COLLECTOR_DISABLE_DEFAULTS", "maybe"),
        ("POMBO_COLLECTOR_NETDEV_DEVICE_EXCLUDE", "["),
        ("POMBO_COLLECTOR_NETCLASS_IGNORED_DEVICES", "("),
        ("POMBO_ONCE", "maybe"),
        ("POMBO_WIRE", "xml"),
    ],
)
def test_invalid_variable_is_named_with_its_value(name: str, value: str) -> None:
    error = usage_error("--server=a", **{name: value})
    assert repr(value) in error
    flag = "--" + name.removeprefix("POMBO_").lower().replace("_", "[._-]")
    assert re.search(flag, error)


def test_options_are_the_same_after_they_were_text() -> None:
    options = parsed(
        "--server=a",
        "--server=[::1]:7",
        "--label=rack=7",
        "--no-collector.cpu",
        "--collector.netdev.device-include=^eth",
        "--wire=json",
        "--name=caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    )
    assert from_text(to_text(options)) == options
    assert options.wire == "json"
    assert parsed("--server=a").wire == "packed"


def test_number_is_whole_and_within_its_bounds() -> None:
    options = parsed("--server=a", "--collector.containers.max=7")
    assert options.collectors["containers"]["max"] == 7
    assert from_text(to_text(options)) == options
    for text in ("0", "-1", "1.5", "many", "10001"):
        assert "max" in usage_error("--server=a", f"--collector.containers.max={text}")


def test_include_replaces_the_default_exclude() -> None:
    options = parsed("--server=a", "--collector.diskstats.device-include=^loop")
    keeps = options.collectors["diskstats"]["device"].keeps
    assert keeps("loop0")
    assert not keeps("sda")


def test_exclude_replaces_the_default_exclude() -> None:
    options = parsed("--server=a", "--collector.filesystem.mount-points-exclude=^/home")
    keeps = options.collectors["filesystem"]["mount-points"].keeps
    assert keeps("/proc")
    assert not keeps("/home/me")


def test_empty_exclude_removes_the_default_and_permits_an_include() -> None:
    flags = "--collector.diskstats.device-exclude=", "--collector.netdev.device-exclude="
    collectors = parsed("--server=a", *flags, "--collector.netdev.device-include=^eth").collectors
    assert collectors["diskstats"]["device"].keeps("loop0")
    assert collectors["netdev"]["device"].keeps("eth0")
    assert not collectors["netdev"]["device"].keeps("lo")


def test_flag_may_have_the_name_that_node_exporter_gave_it() -> None:
    options = parsed("--server=a", "--collector.qdisc", "--collector.qdisk.device-include=^eth")
    assert not options.collectors["qdisc"]["device"].keeps("wlan0")


@pytest.mark.parametrize(
    ("name", "kept", "excluded"),
    [
        (
            "filesystem.fs-types",
            "ext4 xfs btrfs tmpfs zfs nfs4 vfat ntfs fuse.sshfs cgroup3 ramfs",
            "proc sysfs cgroup cgroup2 overlay squashfs devtmpfs autofs nsfs erofs procfs",
        ),
        (
            "filesystem.mount-points",
            "/ /home /device /boot /run /var/lib/docker /mnt/dev /sysroot /processes",
            "/dev /dev/shm /proc /sys/fs/cgroup /var/lib/docker/overlay2/a /run/credentials/a",
        ),
        (
            "diskstats.device",
            "sda sdaa1 vda xvda nvme0n1 md0 dm-0 sr0 mmcblk0 mmcblk0p1 nbd0 zram0",
            "sda1 hdb2 vdc15 xvda1 nvme0n1p1 nvme10n2p13 loop0 ram15 fd0",
        ),
    ],
)
def test_default_filters_exclude_what_is_no_storage(name: str, kept: str, excluded: str) -> None:
    default = default_excludes()[name]
    assert default is not None
    pattern = re.compile(default)
    assert [found for found in kept.split() if pattern.search(found)] == []
    assert [found for found in excluded.split() if not pattern.search(found)] == []


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ([], "--server"),
        (["--server=:5005"], "is not a destination"),
        (["--server=a:0"], "is not a destination"),
        (["--server=a:b"], "is not an address"),
        (["--server=a", "--name="], "1 to 253 characters"),
        (["--server=a", f"--name={'x' * 254}"], "1 to 253 characters"),
        (["--server=a", "--name=\udcff"], "UTF-8"),
        (["--server=a", "--interval=50ms"], "0.1s to 3600s"),
        (["--server=a", "--interval=2h"], "0.1s to 3600s"),
        (["--server=a", "--label=rack"], "write name=value"),
        (["--server=a", "--label=7rack=1"], "is not a label"),
        (["--server=a", f"--label=rack={'x' * 256}"], "is not a label"),
        (["--server=a", "--label=rack=\udcff"], "is not a label"),
        (["--server=a", "--label=instance=x"], "choose another name"),
        (["--server=a", "--label=rack=1", "--label=rack=2"], "given twice"),
        (["--server=a", *(f"--label=a{n}=1" for n in range(33))], "at most 32"),
        (["--server=a", "--collector.netdev.device-exclude=["], "not a regular expression"),
        (
            [
                "--server=a",
                "--collector.netdev.device-exclude=a",
                "--collector.netdev.device-include=b",
            ],
            "exclude each other",
        ),
        (["--server=a", "--collector.nonsense"], "No such option"),
        (["--server=a", "--collector.cpuu"], "--collector.cpu"),
        (["--server=a", "--collector.cpu=false"], "does not take a value"),
    ],
)
def test_invalid_flag_is_refused_with_a_remedy(arguments: list[str], remedy: str) -> None:
    assert remedy in usage_error(*arguments)


@pytest.mark.integration
@pytest.mark.parametrize("wire", ["packed", "json"])
def test_name_too_long_for_a_header_is_refused_at_start(wire: str) -> None:
    name = "\N{BIRD}" * 253
    agent = [*PROGRAM, "--server=127.0.0.1", f"--wire={wire}", f"--name={name}"]
    ended = subprocess.run(agent, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "too long for one datagram" in ended.stderr


@pytest.mark.integration
def test_labels_too_long_for_a_datagram_are_refused_at_start() -> None:
    letters = Random(0).choices(ascii_letters, k=2500)
    labels = [f"--label=a{n}={''.join(letters[n * 250 : n * 250 + 250])}" for n in range(10)]
    agent = [*PROGRAM, "--server=127.0.0.1", *labels]
    ended = subprocess.run(agent, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "too long for one datagram" in ended.stderr


def once(*arguments: str) -> str:
    """Return what ``--once`` prints."""
    agent = [*PROGRAM, "--once", "--name=pi", "--label=rack=7", *arguments]
    ended = subprocess.run(agent, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.integration
def test_once_prints_a_report_as_text_without_an_exporter() -> None:
    lines = once().splitlines()
    assert lines[0].startswith("pi: reports every 5 s, in ")
    assert "  rack  7" in lines
    for section in ("system", "cpu", "filesystems", "networks", "meminfo"):
        assert section in lines
    [total] = [line.split() for line in lines if line.startswith("  MemTotal_bytes")]
    assert total[2] in ("MiB", "GiB", "TiB")
    assert "/" in {line.split()[0] for line in lines if line.startswith("  /")}


@pytest.mark.integration
def test_once_prints_the_datagrams_of_a_report_as_json() -> None:
    printed = once("--format=json", "--interval=7s").splitlines()
    assert all(line.startswith('{"host":"pi",') for line in printed)
    headers = [read(line.encode()).header for line in printed]
    assert len(headers) > 1
    assert [header.seq for header in headers] == [*range(len(headers))]
    assert {(header.interval, header.bye, header.parts) for header in headers} == {
        (7, False, len(headers))
    }
    names = {section.name for line in printed for section in sections_in(read(line.encode()))}
    assert {"info", "labels", "system", "cpu", "meminfo", "filesystems", "networks"} <= names


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def start_agent(*arguments: str, within: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        command = [*within, *PROGRAM, *arguments]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        return started[-1]

    yield start_agent
    for agent in started:
        if agent.poll() is None:
            agent.kill()
        agent.communicate(timeout=30)


@pytest.fixture
def exporter() -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def listen() -> socket.socket:
        opened.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        opened[-1].bind(("127.0.0.1", 0))
        opened[-1].settimeout(30)
        return opened[-1]

    yield listen
    for each in opened:
        each.close()


def server(exporter: socket.socket) -> str:
    return f"--server=127.0.0.1:{exporter.getsockname()[1]}"


def until_bye(exporter: socket.socket) -> list[Datagram]:
    """Return the datagrams that arrive, up to the third bye."""
    datagrams: list[Datagram] = []
    while sum(datagram.header.bye for datagram in datagrams) < 3:
        datagrams.append(read(exporter.recv(2000)))
        assert len(datagrams) < 1000, "waited for three byes among 1000 datagrams"
    return datagrams


def by_name(datagrams: list[Datagram]) -> dict[str, Section]:
    return {section.name: section for each in datagrams for section in sections_in(each)}


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("wire", "form"), [("packed", b"\xb0"), ("json", b"{")])
def test_agent_reports_everything_and_ends_its_session_with_bye(
    number: signal.Signals,
    wire: str,
    form: bytes,
    start: Start,
    exporter: Callable[[], socket.socket],
) -> None:
    listening = exporter()
    flags = ("--name=pi", "--interval=1s", "--label=rack=7", f"--wire={wire}")
    agent = start(server(listening), *flags)
    raw = [listening.recv(2000)]
    count = read(raw[0]).header.parts
    assert count
    raw += [listening.recv(2000) for _ in range(2 * count - 1)]
    assert {datagram[:1] for datagram in raw} == {form}
    agent.send_signal(number)
    first = [*map(read, raw)]
    datagrams = first + until_bye(listening)
    assert agent.wait(timeout=30) == 0

    headers = [datagram.header for datagram in datagrams]
    assert {(header.host, header.session, header.interval) for header in headers} == {
        ("pi", headers[0].session, 1.0)
    }
    assert [header.seq for header in headers] == [*range(len(headers))]
    assert [header.bye for header in headers[-4:]] == [False, True, True, True]
    sections = by_name(first[:count])
    assert {"info", "system", "cpu", "meminfo", "filesystems", "networks"} <= sections.keys()
    assert not {"memory", "swap"} & sections.keys()
    assert sections["labels"].labels == {"rack": ("7",)}
    assert all(section.cells or section.labels for section in sections.values())


@pytest.mark.integration
def test_agent_executes_itself_with_its_process_and_command_line(
    start: Start, exporter: Callable[[], socket.socket]
) -> None:
    listening = exporter()
    agent = start(server(listening), "--name=pi", "--interval=100ms")
    listening.recv(2000)
    line = Path(f"/proc/{agent.pid}/cmdline").read_text(encoding="utf-8").split("\0")
    assert line[1:-1] == [*PROGRAM[1:], server(listening), "--name=pi", "--interval=100ms"]
    maps = Path(f"/proc/{agent.pid}/maps").read_text(encoding="utf-8")
    assert "msgspec" not in maps
    agent.terminate()
    assert agent.wait(timeout=30) == 0


@pytest.mark.integration
def test_options_of_another_process_are_ignored() -> None:
    variables = {**os.environ, "POMBO_AGENT_PARSED": f"{os.getpid()} {{}}"}
    command = [*PROGRAM, "--once", "--name=pi"]
    ended = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60, env=variables
    )
    assert ended.stdout.startswith("pi: ")


@pytest.mark.integration
def test_every_server_receives_every_datagram_although_one_is_down(
    start: Start, exporter: Callable[[], socket.socket]
) -> None:
    one, two, stopped = exporter(), exporter(), exporter()
    unreachable = server(stopped)
    stopped.close()
    agent = start(unreachable, server(one), server(two), "--interval=100ms")
    got = [[listening.recv(2000) for _ in range(10)] for listening in (one, two)]
    assert got[0] == got[1]
    agent.terminate()
    assert agent.wait(timeout=30) == 0
    assert agent.stderr
    lines = agent.stderr.read().decode().splitlines()
    refusals = [line for line in lines if "Connection refused" in line]
    assert len(refusals) == 1
    assert unreachable.removeprefix("--server=") in refusals[0]


def outcomes(report: list[Datagram]) -> dict[str, float | None]:
    """Return whether each collector of a report has succeeded."""
    rows = [
        row
        for each in report
        for section in sections_in(each)
        if section.name == "collectors"
        for row in zip(section.labels["collector"], section.columns["success"], strict=True)
    ]
    return dict(rows)


@pytest.mark.integration
def test_read_that_never_returns_costs_its_collector_alone(
    start: Start, exporter: Callable[[], socket.socket], tmp_path: Path
) -> None:
    listening = exporter()
    (tmp_path / "class/hwmon/hwmon0").mkdir(parents=True)
    os.mkfifo(tmp_path / "class/hwmon/hwmon0/temp1_input")
    flags = ("--name=pi", "--interval=1s", f"--path.sysfs={tmp_path}")
    agent = start(server(listening), *flags)
    for _ in range(3):
        report = [read(listening.recv(2000))]
        assert report[0].header.parts is not None
        report += [read(listening.recv(2000)) for _ in range(report[0].header.parts - 1)]
        found = outcomes(report)
        assert found["hwmon"] == 0
        assert {found[name] for name in ("cpu", "meminfo", "netdev", "filesystem")} == {1}
        assert {"cpu", "meminfo", "networks", "filesystems"} <= by_name(report).keys()
    agent.terminate()
    assert agent.wait(timeout=3) == 0
    assert agent.stderr
    lines = [line for line in agent.stderr.read().decode().splitlines() if "hwmon" in line]
    assert len(lines) == 1
    assert "has not returned" in lines[0]


@pytest.mark.integration
def test_session_ends_and_another_begins_when_the_hostname_changes(
    start: Start, exporter: Callable[[], socket.socket]
) -> None:
    listening = exporter()
    namespace = ("unshare", "--user", "--map-root-user", "--uts", "--")
    rename = ("sh", "-c", 'hostname localhost && exec "$@"', "sh")
    flags = (server(listening), "--interval=100ms")
    agent = start(*flags, within=(*namespace, *rename))
    named = start(*flags, "--name=pi", within=(*namespace, *rename))
    headers = [read(listening.recv(2000)).header]
    while {header.host for header in headers} != {"localhost", "pi"}:
        headers.append(read(listening.recv(2000)).header)
    for each in (agent, named):
        enter = ("nsenter", f"--target={each.pid}", "--user", "--uts", "--preserve-credentials")
        subprocess.run([*enter, "hostname", "web-42"], check=True)
    after: list[Header] = []
    while len([header for header in after if header.host == "web-42"]) < 5:
        after.append(read(listening.recv(2000)).header)
        assert len(after) < 1000, "waited for the other name among 1000 datagrams"
    byes = [header for header in after if header.bye]
    assert [header.host for header in byes] == ["localhost"] * 3
    first = next(header for header in after if header.host == "web-42")
    assert (first.seq, first.part) == (0, 0)
    assert first.session is not None
    assert byes[0].session is not None
    assert first.session > byes[0].session
    last = after.index(byes[-1])
    assert {header.host for header in after[last + 1 :]} == {"pi", "web-42"}


@pytest.mark.integration
@pytest.mark.costs
def test_agent_is_light(start: Start, exporter: Callable[[], socket.socket]) -> None:
    compile_packages()
    listening = exporter()
    agent = start(server(listening), "--interval=100ms")
    for _ in range(20):
        listening.recv(2000)
    pages = int(Path(f"/proc/{agent.pid}/statm").read_text(encoding="ascii").split()[1])
    assert pages * os.sysconf("SC_PAGE_SIZE") < 18 * 2**20
