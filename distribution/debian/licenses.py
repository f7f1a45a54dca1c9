"""The copyright of what is in a package: its own, and that of each library."""

from email.parser import HeaderParser
from pathlib import Path

_OWN = """\
Pombo
Copyright 2026 the Pombo authors
License: Apache-2.0, in /usr/share/common-licenses/Apache-2.0

The package has the libraries below, as their authors have built them. Each file that is named has
the copyright and the text of the license.
"""


def render(modules: Path, installed: str) -> str:
    """Return the text for a folder with modules, which is ``installed`` on a host.

    Raises:
        ValueError: when a library has no text of a license.
    """
    parts = [_OWN]
    for metadata in sorted(modules.glob("*.dist-info/METADATA")):
        headers = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        name, version = headers["Name"], headers["Version"]
        if name.startswith("pombo-"):
            continue
        files = [path for path in sorted(metadata.parent.rglob("*")) if _is_license(path)]
        if not files:
            raise ValueError(f"{name} {version} has no text of a license")
        license_ = (headers["License-Expression"] or headers["License"] or "").partition("\n")[0]
        parts.append(f"\n{name} {version}\n")
        parts += [f"License: {license_}\n"] if license_ else []
        parts += [f"  {installed}/{path.relative_to(modules)}\n" for path in files]
    return "".join(parts)


def _is_license(path: Path) -> bool:
    return path.is_file() and path.name.upper().startswith(
        ("LICEN", "COPYING", "NOTICE", "AUTHORS")
    )
