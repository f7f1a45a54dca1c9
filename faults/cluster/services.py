"""The services of deploy/cluster/docker-compose.yml as plain processes, with their own flags."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pombo_agent.transport.crypto import CRYPTO
from pombo_exporter.seal.key_file import read_key_file
from pombo_wire.keys import FleetKey
from ruamel.yaml import YAML
from support.pages import fetch, wait_until
from support.processes import BIN, ROOT, Process, found

FOLDER: Final = ROOT / "deploy" / "cluster"

#: The program of each image, without its tag.
_PROGRAMS: Final = {
    "pombo-exporter": str(BIN / "pombo-exporter"),
    "victoriametrics/vmagent": "vmagent",
    "victoriametrics/victoria-metrics": "victoria-metrics",
    "victoriametrics/vmauth": "vmauth",
    "prom/prometheus": "prometheus",
}

#: Where services answer once they serve, by the image.
_READY: Final = {
    "pombo-exporter": "/-/ready",
    "victoriametrics/vmagent": "/health",
    "victoriametrics/victoria-metrics": "/health",
    "victoriametrics/vmauth": "/health",
    "prom/prometheus": "/-/ready",
}

#: The settings that are times, in the files and in flags.
_TIME: Final = re.compile(
    r"(scrape_(?:interval|timeout|offset): |dedup\.minScrapeInterval=)(\d+)(m?s)\b"
)

#: A Prometheus that was killed reads its logs again, those of samples out of order slowest.
_START_SECONDS: Final = 240.0

_LISTENS: Final = re.compile(r"^--?(?:web\.listen-address|httpListenAddr)=(\S+)$")


class Service:
    """A process that can be killed, and started again with the same flags and files."""

    def __init__(self, name: str, command: Sequence[str], log: Path, ready: str) -> None:
        self.name, self._command, self._log = name, command, log
        [address] = [match[1] for match in map(_LISTENS.match, command) if match]
        self.url = f"http://{address}"
        self._ready = ready
        self.process = self._new_process()

    def start(self) -> None:
        """Start it again, and return once it serves."""
        self.process = self._new_process()
        self.wait()

    def wait(self) -> None:
        """Return once it serves."""
        wait_until(
            lambda: fetch(self.url + self._ready),
            lambda _: True,
            f"{self.name}, whose log ends with\n{self.process.log[-2000:]}",
            within=_START_SECONDS,
        )

    def get(self, path: str) -> str:
        """Return what it answers.

        Raises:
            OSError: when it does not answer, or answers with an error.
        """
        return fetch(self.url + path)

    def _new_process(self) -> Process:
        return Process(self._command, self._log)


class Services:
    """All services of the Compose file, with files in ``folder``, and ``speed`` times as fast.

    Their addresses are those of the files: no other program may use them.
    """

    def __init__(self, folder: Path, speed: int) -> None:
        self._folder, self._speed = folder, speed
        self._keys = folder / "pombo.keys"
        keygen = Process([_PROGRAMS["pombo-exporter"], "keygen", str(self._keys)], folder / "log")
        if keygen.ended():
            raise AssertionError(keygen.log)
        self._configs = folder / "config"
        self._configs.mkdir()
        for path in (FOLDER / "config").iterdir():
            text = self._adapted(path.read_text(encoding="utf-8"))
            (self._configs / path.name).write_text(text, encoding="utf-8")
        self._services: dict[str, Service] = {}
        compose = YAML(typ="safe").load(FOLDER / "docker-compose.yml")
        try:
            for name, service in compose["services"].items():
                self._services[name] = self._new(name, service)
            for each in self._services.values():
                each.wait()
        except BaseException:
            self.close()
            raise

    def of(self, kind: str) -> list[Service]:
        """Return the services whose names are this and a number, in their order."""
        return [each for name, each in self._services.items() if re.fullmatch(rf"{kind}-\d", name)]

    def one(self, name: str) -> Service:
        """Return a service by its name."""
        return self._services[name]

    @property
    def key(self) -> FleetKey:
        """The key of the exporters."""
        return read_key_file(self._keys, CRYPTO).first

    def close(self) -> None:
        """Kill all: nothing of them is needed any more."""
        for service in reversed(self._services.values()):
            service.process.kill()

    def logs(self) -> dict[str, str]:
        """Return what each service has logged."""
        return {name: service.process.log for name, service in self._services.items()}

    def _new(self, name: str, service: dict[str, list[str] | str]) -> Service:
        image = str(service["image"]).partition(":")[0]
        data = self._folder / name
        data.mkdir()
        flags = [self._adapted(flag) for flag in service["command"]]
        if image == "pombo-exporter":  # as docs/secure.md sets it up
            flags.append(f"--state.file={data / 'state'}")
        places = {
            "/etc/cluster/": f"{self._configs}/",
            "/etc/pombo/": f"{self._folder}/",
            "=/data": f"={data}",
            "=/prometheus": f"={data}",
        }
        for old, new in places.items():
            flags = [flag.replace(old, new) for flag in flags]
        command = [found(_PROGRAMS[image]), *flags]
        return Service(name, command, self._folder / f"{name}.log", _READY[image])

    def _adapted(self, text: str) -> str:
        return _TIME.sub(self._faster, text)

    def _faster(self, setting: re.Match[str]) -> str:
        milliseconds = int(setting[2]) * (1 if setting[3] == "ms" else 1000)
        return f"{setting[1]}{milliseconds // self._speed}ms"
