"""Real exporters, agents and Prometheus servers: started, read, ended by their process id.

The benchmark builds on ``Process``, so nothing here needs pytest: what fails raises AssertionError.
"""

import compileall
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from support.pages import Labels, Page, fetch, fetch_page, wait_until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

_END_TIMEOUT = 20.0  # seconds


def compile_packages() -> None:
    """Compile Pombo's modules, as an installation does.

    A program that has to compile them at its start keeps some of the memory that this takes.
    """
    for package in ("wire", "cli", "agent", "exporter"):
        compileall.compile_dir(ROOT / package, quiet=1)


class Process:
    """A program that runs in the repository's root, and what it wrote to ``log``."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        leads_session: bool = False,
    ) -> None:
        self.command = shlex.join(command)
        self._log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                start_new_session=leads_session,
            )
        self.pid = self._popen.pid

    @property
    def log(self) -> str:
        """What it wrote to both its outputs so far."""
        return self._log.read_text(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    @property
    def resident_bytes(self) -> int:
        """Resident memory at present."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def most_resident_bytes(self) -> int:
        """The most resident memory since its start."""
        found = re.search(r"^VmHWM:\s+(\d+) kB$", self._status(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def _status(self) -> str:
        return Path(f"/proc/{self.pid}/status").read_text()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal and go on."""
        self._popen.send_signal(number)

    def ended(self, within: float = _END_TIMEOUT) -> int:
        """Return its exit code once it has ended by itself or by a signal.

        Raises:
            AssertionError: when it still runs after ``within`` seconds; it is killed.
        """
        try:
            return self._popen.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            waited = f"waited {within:g} s for {self.command} to end"
            raise AssertionError(f"{waited}:\n{self.log}") from None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, unless it has ended, and return its exit code."""
        self.send_signal(number)
        return self.ended()

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._popen.kill()
        self._popen.wait()


class Exporter(Process):
    """An exporter; UDP and HTTP have the same port."""

    def __init__(
        self,
        log: Path,
        host: str,
        port: int,
        flags: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> None:
        where = f"{host}:{port}"
        addresses = [f"--udp.listen-address={where}", f"--web.listen-address={where}"]
        super().__init__([str(BIN / "pombo-exporter"), *addresses, *flags], log, env=env)
        self.port = port
        self.target = f"localhost:{port}" if host == "[::]" else where
        self.url = f"http://{self.target}/metrics"

    def page(self) -> Page:
        """Return its exposition."""
        return fetch_page(self.url)

    def counted(self, name: str, **labels: str) -> int:
        """Return the value of one of its own samples."""
        value = self.page().value(name, **labels)
        assert value is not None, f"{name}{labels} is not on the page"
        return int(value)


class Times(NamedTuple):
    """How often a Prometheus scrapes and evaluates, and how long alerts are pending.

    Without ``hold``, that is what the rules say.
    """

    interval: str = "1s"
    hold: str = ""


_TIMES = Times()


class Prometheus(Process):
    """A Prometheus with one of the repository's configurations, at another exporter's address."""

    def __init__(
        self, directory: Path, port: int, target: str, shipped: str, times: Times = _TIMES
    ) -> None:
        config = directory / "prometheus.yml"
        text = (ROOT / shipped).read_text()
        for old, new in (
            ("localhost:5005", target),
            ("_interval: 5s", f"_interval: {times.interval}"),
        ):
            assert old in text, f"{shipped} has no {old!r}"
            text = text.replace(old, new)
        text, count = re.subn(r"[\w/]*rules/\*\.yml", f"{directory}/rules/*.yml", text)
        assert count == 1, f"{shipped} has {count} lines with rules"
        config.write_text(text)
        (directory / "rules").mkdir()
        for path in (ROOT / "prometheus" / "rules").iterdir():
            often = re.sub(
                r"^    interval: \S+$",
                f"    interval: {times.interval}",
                path.read_text(),
                flags=re.MULTILINE,
            )
            if times.hold:
                often = re.sub(r"(?m)^        for: \S+$", f"        for: {times.hold}", often)
            (directory / "rules" / path.name).write_text(often)
        super().__init__(
            [
                found("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            directory / "prometheus.log",
        )
        self._api = f"http://127.0.0.1:{port}/api/v1/"

    def instant(self, expression: str) -> dict[Labels, float]:
        """Return the labels, the name among them, and the value of each series that is there."""
        result = self.ask("query", query=expression)["result"]
        return {frozenset(row["metric"].items()): float(row["value"][1]) for row in result}

    def over(self, expression: str, start: float, end: float) -> dict[Labels, list[float]]:
        """Return the values of each series at every second from ``start`` to ``end``."""
        result = self.ask("query_range", query=expression, start=start, end=end, step=1)["result"]
        return {
            frozenset(row["metric"].items()): [float(value) for _, value in row["values"]]
            for row in result
        }

    def targets(self) -> list[dict[str, Any]]:
        """Return its targets: labels, health and last error of each."""
        targets: list[dict[str, Any]] = self.ask("targets")["activeTargets"]
        return targets

    def ask(self, what: str, **parameters: object) -> Any:
        """Return the data that its API answers with."""
        answer = json.loads(fetch(f"{self._api}{what}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]


P = TypeVar("P", bound=Process)


class Launcher:
    """Starts processes, and ends all of them when the test is over."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes: list[Process] = []

    def exporter(
        self,
        *flags: str,
        host: str = "127.0.0.1",
        port: int | None = None,
        ready: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> Exporter:
        """Start an exporter; with ``ready``, wait until it serves."""
        exporter = self.kept(Exporter(self._new_log(), host, port or free_port(), flags, env))
        if ready:
            wait_until(exporter.page, bool, "the exporter's first page")
        return exporter

    def agent(
        self,
        name: str,
        *exporters: Exporter | str,
        interval: str = "500ms",
        flags: Sequence[str] = (),
    ) -> Process:
        """Start an agent that reports to these exporters or ``host:port`` addresses."""
        servers = [to if isinstance(to, str) else to.target for to in exporters]
        sent_to = [f"--server={server}" for server in servers]
        said = [f"--name={name}", f"--interval={interval}", *flags]
        command = [str(BIN / "pombo-agent"), *sent_to, *said]
        return self.kept(Process(command, self._new_log()))

    def prometheus(
        self,
        exporter: Exporter,
        history: str = "",
        config: str = "prometheus.yml",
        hold: str = "",
    ) -> Prometheus:
        """Start a Prometheus that scrapes the exporter every second, and wait for its API.

        ``history`` is put into its storage first: OpenMetrics with timestamps. ``config`` is one
        of the repository's configurations. With ``hold``, every alert fires after that time.
        """
        directory = self._directory / f"prometheus-{len(self._processes)}"
        directory.mkdir()
        if history:
            past = directory / "history"
            past.write_text(history)
            blocks = [found("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
            subprocess.run([*blocks, past, directory / "tsdb"], check=True, timeout=60)
        times = Times(hold=hold)
        prometheus = Prometheus(directory, free_port(), exporter.target, config, times)
        self.kept(prometheus)
        wait_until(lambda: prometheus.instant("up"), bool, "the first scrape", within=30)
        return prometheus

    def program(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        leads_session: bool = False,
    ) -> Process:
        """Start any other program."""
        return self.kept(Process(command, self._new_log(), env=env, leads_session=leads_session))

    def kept(self, process: P) -> P:
        """Return a process, which ``close`` will end, too."""
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End what still runs, the youngest first; fail if any logged a traceback."""
        for process in reversed(self._processes):
            if process.runs:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.ended()
        for process in self._processes:
            log = process.log
            if "Traceback" in log:
                raise AssertionError(f"a process logged an unexpected error:\n{log}")

    def _new_log(self) -> Path:
        return self._directory / f"{len(self._processes)}.log"


def free_port() -> int:
    """Return a port that is free for UDP and TCP, IPv4 and IPv6.

    It is below the kernel's ephemeral ports, so that no connection takes it meanwhile.
    """
    both = socket.has_dualstack_ipv6()
    for port in random.sample(range(10_000, 30_000), 100):
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET6 if both else socket.AF_INET, kind) as sock:
                    if both:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                    sock.bind(("", port))
        except OSError:
            continue
        return port
    raise AssertionError("none of 100 ports is free")


def found(program: str) -> str:
    """Return the path of a program, which has to be installed."""
    path = shutil.which(program)
    assert path is not None, f"{program} is not on PATH: install it"
    return path


_LINTED = 3  # promtool's exit code for a valid exposition with names that it warns of


def complaints(text: str) -> str:
    """Return the complaints of ``promtool check metrics``; nothing when there are none.

    Those about ``node_*`` names are left out: the names are node_exporter's.
    """
    check = subprocess.run(
        [found("promtool"), "check", "metrics"],
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=60,
    )
    said = check.stdout.decode()
    if check.returncode not in (0, _LINTED):
        return f"{said}exit code {check.returncode}"
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith("node_"))
