"""Kernel, operating system and machine, as texts."""

import os
import re

from pombo_wire.columns import SECTIONS
from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, family, record

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*)")
_ESCAPE = re.compile(r"\\(.)")

# The parts of a value: in quotation marks, in apostrophes, in neither. A comment ends it.
_PART = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^"'#]+))""")

_VERSION = re.compile(r"[0-9]+\.?[0-9]*")
_OS_VERSION = "Metric containing the major.minor part of the OS version."
_SUPPORT_END = "Metric containing the end-of-life date timestamp of the OS."
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DAY_SECONDS = 86400

# Files of /sys/class/dmi/id and the fields of the wire; most have the same name. Only root may
# read the serial numbers and the UUID.
_DMI_FILES = {"sys_vendor": "system_vendor"} | {
    name: name for name in SECTIONS["dmi"].labels if name != "system_vendor"
}


def collect_uname(sources: Sources) -> list[Section]:
    """Return the ``uname`` section."""
    here = os.uname()
    domain = sources.text(f"{sources.procfs}/sys/kernel/domainname") or "(none)"
    texts = {
        "sysname": here.sysname,
        "release": here.release,
        "version": here.version,
        "machine": here.machine,
        "nodename": here.nodename,
        "domainname": domain,
    }
    return record("uname", texts)


def collect_os(sources: Sources) -> list[Section]:
    """Return the ``os`` section, and the version and the end of support as open families."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        file = sources.optional(f"{sources.rootfs}/{name}")
        if file is not None:
            found = parse_os_release(file)
            return [*record("os", found), *_os_version(found), *_support_end(sources, file, found)]
    raise NoDataError("no os-release file")


def collect_dmi(sources: Sources) -> list[Section]:
    """Return the ``dmi`` section, which is read once, since it is the same until the next boot."""
    kept: list[Section] | None = sources.kept.get("dmi")
    if kept is not None:
        return kept
    found = sources.texts(f"{sources.sysfs}/class/dmi/id", _DMI_FILES)
    if not found:
        raise NoDataError("no DMI in /sys")
    made = record("dmi", {_DMI_FILES[file]: text for file, text in found.items()})
    if not sources.skips.count:
        sources.kept["dmi"] = made
    return made


def _os_version(found: dict[str, str]) -> list[Section]:
    """Return the number at the beginning of ``VERSION_ID``, unless it is 0 or there is none."""
    version = _VERSION.match(found.get("version_id", ""))
    if version is None or not float(version[0]):
        return []
    names = ("id", "id_like", "name")
    row: tuple[Cell, ...] = (*(found.get(name, "") for name in names), float(version[0]))
    return family("node_os_version", "gauge", _OS_VERSION, names, [row])


def _support_end(sources: Sources, file: File, found: dict[str, str]) -> list[Section]:
    """Return the Unix time of the date ``SUPPORT_END``."""
    date = found.get("support_end")
    if not date:
        return []
    seconds = unix_time(date)
    if seconds is None:
        sources.skips.add("value", date, file.path)
    return family("node_os_support_end_timestamp_seconds", "gauge", _SUPPORT_END, (), [(seconds,)])


def unix_time(date: str) -> int | None:
    """Return the Unix time of midnight UTC of a date such as ``2026-06-30``; ``None`` for others.

    The modules of the library that parse dates would take memory on every host.
    """
    found = _DATE.fullmatch(date)
    if found is None:
        return None
    year, month, day = map(int, found.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    return (days + sum(lengths[: month - 1]) + day - 1 - 719162) * _DAY_SECONDS


def parse_os_release(file: File) -> dict[str, str]:
    """Return the assignments of ``os-release``, with names in lower case; see os-release(5)."""
    found = {}
    for line in file.lines():
        if assignment := _ASSIGNMENT.fullmatch(decoded(line.strip())):
            name, value = assignment.groups()
            text = unquoted(value)
            if text is None:
                file.skip("line", line)
            else:
                found[name.lower()] = text
    return found


def unquoted(value: str) -> str | None:
    """Return what a shell would assign; ``None`` where a quotation is not closed."""
    text, at = "", 0
    while part := _PART.match(value, at):
        quoted, literal, bare = part.groups()
        at = part.end()
        if bare is None:
            text += literal if quoted is None else _ESCAPE.sub(r"\1", quoted)
        else:
            text += bare.rstrip() if at == len(value) or value[at] == "#" else bare
    return text if at == len(value) or value[at] == "#" else None


COLLECTORS = [
    Collector("uname", collect_uname),
    Collector("os", collect_os),
    Collector("dmi", collect_dmi),
]
