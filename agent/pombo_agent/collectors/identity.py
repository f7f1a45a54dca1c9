"""Kernel, operating system and machine, as texts."""

import os
import re

from pombo_wire import Dmi, OperatingSystem, Part, Uname

from pombo_agent.collectors.sources import NoDataError, Sources, read_optional, read_texts
from pombo_agent.collectors.tables import record

_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
_ESCAPE = re.compile(r"\\(.)")

# Files of /sys/class/dmi/id and the fields of the wire; most have the same name. Those that only
# root may read are not among them.
_DMI_FILES = {"sys_vendor": "system_vendor"} | {
    name: name for name in Dmi.__struct_fields__ if name != "system_vendor"
}


def collect_uname(sources: Sources) -> list[Part]:
    """Return the ``uname`` section."""
    here = os.uname()
    domain = read_optional(sources.procfs / "sys/kernel/domainname") or "(none)"
    texts = {
        "sysname": here.sysname,
        "release": here.release,
        "version": here.version,
        "machine": here.machine,
        "nodename": here.nodename,
        "domainname": domain.strip(),
    }
    return [record(Uname, texts)]


def collect_os(sources: Sources) -> list[Part]:
    """Return the ``os`` section."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        text = read_optional(sources.rootfs / name)
        if text is not None:
            return [record(OperatingSystem, parse_os_release(text))]
    raise NoDataError("no os-release file")


def collect_dmi(sources: Sources) -> list[Part]:
    """Return the ``dmi`` section."""
    found = read_texts(sources.sysfs / "class/dmi/id", _DMI_FILES)
    if not found:
        raise NoDataError("no DMI in /sys")
    return [record(Dmi, {_DMI_FILES[file]: text for file, text in found.items()})]


def parse_os_release(text: str) -> dict[str, str]:
    """Return the assignments of ``os-release``, with names in lower case; see os-release(5)."""
    found = {}
    for line in text.splitlines():
        if assignment := _ASSIGNMENT.fullmatch(line.strip()):
            name, value = assignment.groups()
            if value[:1] in ('"', "'") and value.endswith(value[0]):
                value = value[1:-1]
            found[name.lower()] = _ESCAPE.sub(r"\1", value)
    return found
