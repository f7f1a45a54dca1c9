"""Facts about this host: its name and key, what it sees, collectors, and the size of a report."""

import logging
import os
import socket
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from pombo_cli import human
from pombo_cli.logs import LimitedLogger
from pombo_wire.keys import HostKey

from pombo_agent import loop
from pombo_agent.announcement import bytes_per_hour, report_sizes
from pombo_agent.check import remedies
from pombo_agent.check.facts import Findings
from pombo_agent.settings import Options
from pombo_agent.wakeup import EventWaiter

#: Bytes of the headers of IPv4 and UDP. With IPv6 there are 20 more.
_HEADERS = 28

#: What says that this is the inside of a container, and of which kind.
_SIGNS = {
    ".dockerenv": "Docker",
    "run/.containerenv": "Podman",
    "run/systemd/container": "",  # the file has the kind
}


_SKIPPED = "collector skipped an item"


class KeyFault(NamedTuple):
    """Why there is no usable key, and the path of its file."""

    path: str
    text: str


def about_name(
    findings: Findings, name: str, source: str, key: HostKey | None, given: str | None
) -> None:
    """Say what this host is called and where the name is from.

    ``given`` is a name that a flag, a variable or the file has, if it differs from that of the key.
    """
    hostname = socket.gethostname()
    if key is not None and given is not None and given != key.name:
        findings.wrong(
            "name",
            f"--name is {given}, but the key is of {key.name}: the agent does not start",
            remedies.check_key(given),
            name=key.name,
            source="key",
            given=given,
        )
        return
    text = f"{name}, from {source}"
    if name != hostname:
        text += f"; the hostname is {hostname}"
    findings.ok("name", text, name=name, source=source, hostname=hostname)


def about_key(findings: Findings, path: str, key: HostKey | None, fault: KeyFault | None) -> None:
    """Say whether reports are sealed, and with which key."""
    if fault is not None:
        findings.wrong("key", fault.text, *_remedies_of_key(fault), path=fault.path)
    elif key is None:
        findings.note("key", "none: reports are not sealed, so exporters do not answer them")
    else:
        generation = f", generation {key.generation}" if key.generation else ""
        findings.ok("key", f"{path}{generation}", path=path, generation=key.generation)


def _remedies_of_key(fault: KeyFault) -> list[Any]:
    try:
        found = os.stat(fault.path)
    except OSError as error:
        if isinstance(error, PermissionError):
            return [remedies.read_file(fault.path, "another user", 0o600)]
        return [remedies.check_key(socket.gethostname())]
    mode = stat.S_IMODE(found.st_mode)
    if not os.access(fault.path, os.R_OK):
        return [remedies.read_file(fault.path, owner_of(found.st_uid), mode)]
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        return [remedies.close_file(fault.path)]
    return [remedies.check_key(socket.gethostname())]


def owner_of(user: int) -> str:
    """Return the name of a user, or the number of one without a name."""
    import pwd  # noqa: PLC0415 - other systems have none

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def container_kind(root: str = "/", variables: Mapping[str, str] = os.environ) -> str | None:
    """Return in which kind of container this process is; None where it is in none.

    The text is empty where the kind is not known.
    """
    for path, kind in _SIGNS.items():
        try:
            with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                return f"{kind or file.read(64).strip()}, as /{path} says"
        except OSError:  # noqa: PERF203 - there are three
            continue
    if "KUBERNETES_SERVICE_HOST" in variables:
        return "Kubernetes, as the environment says"
    return variables.get("container")


def about_view(findings: Findings, options: Options, kind: str | None) -> None:
    """Say whether the agent sees a host or only a container."""
    if kind is None:
        findings.ok("sees", "the host, as nothing looks like a container", container=None)
        return
    missing = {
        "--path.procfs": options.procfs == "/proc",
        "--path.rootfs": options.rootfs == "/",
    }
    where = f"a container ({kind})" if kind else "a container"
    lacking = [flag for flag, is_missing in missing.items() if is_missing]
    if not lacking:
        text = f"the host from {where}, by --path.procfs and --path.rootfs"
        findings.ok("sees", text, container=kind)
        return
    findings.note(
        "sees",
        f"only {where}: its own filesystems and network, not those of its host",
        remedies.see_host([*lacking, "--network=host"]),
        container=kind,
    )


class _Faults(logging.Handler):
    """Keeps what collectors log."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Mapping[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append((record.getMessage(), getattr(record, "fields", {})))


class Collected(NamedTuple):
    """A report of this moment: the lengths of its datagrams, and what was wrong with collectors.

    ``skipped`` are single lines, values or files. ``with_data`` and ``total`` are numbers of
    collectors.
    """

    sizes: list[int]
    faults: list[str]
    skipped: list[str]
    with_data: int
    total: int


def collect(options: Options) -> Collected:
    """Run the collectors as the agent does, and make a report."""
    logger = logging.getLogger("pombo_agent")
    logger.propagate = False
    handler = _Faults()
    logger.addHandler(handler)
    try:
        log = LimitedLogger(logger, 0)
        reports = loop.reporter(options, loop.collection(options, EventWaiter()), log)
        header, sections = reports.collect()
        datagrams = reports.datagrams(header, sections)
    finally:
        logger.removeHandler(handler)
    rows = next((each for each in sections if each.name == "collectors"), None)
    success = [] if rows is None else [*rows.columns["success"]]
    return Collected(
        report_sizes(options, datagrams),
        [_words(*each) for each in handler.found if each[0] != _SKIPPED],
        [_words(*each) for each in handler.found if each[0] == _SKIPPED],
        sum(1 for each in success if each),
        len(success),
    )


def _words(message: str, fields: Mapping[str, Any]) -> str:
    name = fields.get("collector") or fields.get("collectors") or ""
    cause = fields.get("error") or fields.get("detail")
    if cause is None and "item" in fields:
        cause = f"{fields['item']} in {fields['file']}"
    if message == "collector failed":
        return f"{name}: {cause}"
    return f"{name}: {message}" + (f": {cause}" if cause else "")


def about_collectors(findings: Findings, options: Options) -> None:
    """Say which collectors fail, and how much is sent."""
    found = collect(options)
    summary = f"{found.with_data} of {found.total} have data"
    values = {"with_data": found.with_data, "count": found.total, "faults": found.faults}
    values["skipped"] = found.skipped
    if found.faults:
        faults = "; ".join(found.faults)
        findings.wrong("collectors", f"{summary}; {faults}", remedies.mend_collectors(), **values)
    else:
        skipped = f"; skipped: {'; '.join(found.skipped)}" if found.skipped else ""
        findings.ok("collectors", f"{summary}, none fails{skipped}", **values)
    hourly = bytes_per_hour(options, found.sizes, _HEADERS)
    count = f"{len(found.sizes)} datagram{'s' if len(found.sizes) != 1 else ''}"
    findings.ok(
        "report",
        f"{count}, {human.size(sum(found.sizes))} each {human.span(options.interval)}: "
        f"{human.size(hourly)} an hour to each server, with the headers of IP and UDP",
        datagrams=len(found.sizes),
        bytes=sum(found.sizes),
        bytes_per_hour=hourly,
        interval_seconds=options.interval,
    )
