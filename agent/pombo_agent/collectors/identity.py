"""Kernel, operating system and machine, as texts."""

import os
import re

from pombo_wire.columns import SECTIONS
from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.reading import File, decoded
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import record

_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
_ESCAPE = re.compile(r"\\(.)")

# Files of /sys/class/dmi/id and the fields of the wire; most have the same name. Those that only
# root may read are not among them.
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
    """Return the ``os`` section."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        file = sources.optional(f"{sources.rootfs}/{name}")
        if file is not None:
            return record("os", parse_os_release(file))
    raise NoDataError("no os-release file")


def collect_dmi(sources: Sources) -> list[Section]:
    """Return the ``dmi`` section."""
    found = sources.texts(f"{sources.sysfs}/class/dmi/id", _DMI_FILES)
    if not found:
        raise NoDataError("no DMI in /sys")
    return record("dmi", {_DMI_FILES[file]: text for file, text in found.items()})


def parse_os_release(file: File) -> dict[str, str]:
    """Return the assignments of ``os-release``, with names in lower case; see os-release(5)."""
    found = {}
    for line in file.lines():
        if assignment := _ASSIGNMENT.fullmatch(decoded(line.strip())):
            name, value = assignment.groups()
            if value[:1] in ('"', "'") and value.endswith(value[0]):
                value = value[1:-1]
            found[name.lower()] = _ESCAPE.sub(r"\1", value)
    return found


COLLECTORS = [
    Collector("uname", collect_uname),
    Collector("os", collect_os),
    Collector("dmi", collect_dmi),
]
