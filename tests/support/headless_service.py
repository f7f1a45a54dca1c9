"""A name server with the records of a headless Service of Kubernetes, which a file says.

``python -m support.headless_service FILE ADDRESS`` serves on port 53 of the address. The file is
JSON: the addresses of pods by their names.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from support.name_servers import NameServer

SERVICE: Final = "pombo-exporter.pombo.svc.cluster.local"
RECORD: Final = f"_pombo._udp.{SERVICE}"
PORT: Final = 5005
_LOOK_SECONDS: Final = 0.1


def write_pods(path: Path, pods: Mapping[str, str]) -> None:
    """Let pods of these names have these addresses, and no other pod any."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(pods), encoding="utf-8")
    new.replace(path)


def _set_records(names: NameServer, pods: Mapping[str, str], gone: Mapping[str, str]) -> None:
    """Let a name server have the records of these pods, and none of those that are gone."""
    for pod, address in pods.items():
        names.set(f"{pod}.{SERVICE}", "A", address)
    names.set(SERVICE, "A", *pods.values())
    names.set(RECORD, "SRV", *(f"0 33 {PORT} {pod}.{SERVICE}." for pod in pods))
    for pod in gone.keys() - pods.keys():
        names.set(f"{pod}.{SERVICE}", "A")


def main(path: Path, address: str) -> None:
    """Answer with what the file says, until the process is ended."""
    names, known = NameServer(address), dict[str, str]()
    names.start()
    while True:
        pods = json.loads(path.read_text(encoding="utf-8"))
        if pods != known:
            _set_records(names, pods, known)
            known = pods
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
