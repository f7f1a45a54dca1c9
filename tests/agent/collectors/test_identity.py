"""The collectors of module ``identity``: uname, os and dmi."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import identity
from pombo_wire.columns import SECTIONS

WriteFiles = Callable[[Path, dict[str, str]], Path]


OS_RELEASE = r"""
# the release
NAME="Debian GNU/Linux"
VERSION_ID='12'
ID=debian
PRETTY_NAME="A \"quoted\" \$name"
VERSION=
not an assignment
"""


def test_os_release_is_read_without_its_quotes() -> None:
    assert identity.parse_os_release(File(OS_RELEASE.encode())) == {
        "name": "Debian GNU/Linux",
        "version_id": "12",
        "id": "debian",
        "pretty_name": 'A "quoted" $name',
        "version": "",
    }


def test_usr_lib_os_release_is_read_where_etc_has_none(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(rootfs=tmp_path)
    with pytest.raises(NoDataError):
        identity.collect_os(sources)
    write_files(tmp_path, {"usr/lib/os-release": "ID=void\nHOME_URL=x\n"})
    (found,) = identity.collect_os(sources)
    assert (found.name, found.labels["id"]) == ("os", ("void",))


def test_dmi_has_the_field_names_of_the_wire(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        identity.collect_dmi(sources)
    files = {"sys_vendor": "Dell Inc.\n", "bios_date": "12/24/2024\n", "product_serial": "S1\n"}
    write_files(tmp_path / "class/dmi/id", files)
    (found,) = identity.collect_dmi(sources)
    assert (found.name, found.values) == ("dmi", ())
    assert found.labels == dict.fromkeys(SECTIONS["dmi"].labels, ("",)) | {
        "bios_date": ("12/24/2024",),
        "system_vendor": ("Dell Inc.",),
    }
