"""The collectors of module ``identity``: uname, os and dmi."""

from collections.abc import Callable
from datetime import datetime, timezone
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("debian", "debian"),
        ("two words  ", "two words"),
        ('"two words" # a comment', "two words"),
        ("a#b", "a"),
        ("""'it is'" so"!""", "it is so!"),
        (r"'a \n b'", r"a \n b"),
        (r"a\ b", r"a\ b"),
        ('" spaced "', " spaced "),
        ("", ""),
        ("'open", None),
        ('"open', None),
        ('a"', None),
    ],
)
def test_value_is_that_of_a_shell(value: str, text: str | None) -> None:
    assert identity.unquoted(value) == text


def test_line_with_an_open_quotation_costs_itself_and_names_may_be_exported() -> None:
    file = File(b" export ID = x\nNAME='open\nVERSION=1\n")
    assert identity.parse_os_release(file) == {"id": "x", "version": "1"}
    assert file.skips.count == 1


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
        "product_serial": ("S1",),
        "system_vendor": ("Dell Inc.",),
    }


def test_dmi_is_read_once(this_machine: Sources, tmp_path: Path, write_files: WriteFiles) -> None:
    sources = this_machine._replace(sysfs=tmp_path, kept={})
    write_files(tmp_path / "class/dmi/id", {"bios_vendor": "SeaBIOS\n"})
    found = identity.collect_dmi(sources)
    (tmp_path / "class/dmi/id/bios_vendor").unlink()
    assert identity.collect_dmi(sources) == found


@pytest.mark.parametrize(
    ("version", "number"),
    [("12", 12), ("22.04", 22.04), ("3.18.4", 3.18), ("7.", 7), ("2:8", 2)],
)
def test_version_of_the_system_is_the_number_at_the_beginning(
    version: str, number: float, this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    text = f"ID=alpine\nNAME=Alpine\nVERSION_ID={version}\n"
    sources = this_machine._replace(rootfs=write_files(tmp_path, {"etc/os-release": text}))
    _, found = identity.collect_os(sources)
    assert (found.name, found.type) == ("node_os_version", "gauge")
    assert found.labels == {"id": ("alpine",), "id_like": ("",), "name": ("Alpine",)}
    assert found.cells == (number,)


@pytest.mark.parametrize("version", ["", "0", "0.0", "rolling", "v1"])
def test_version_that_is_no_number_is_absent(
    version: str, this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    text = f"ID=arch\nVERSION_ID={version}\n"
    sources = this_machine._replace(rootfs=write_files(tmp_path, {"etc/os-release": text}))
    assert [section.name for section in identity.collect_os(sources)] == ["os"]


def test_end_of_support_is_a_unix_time(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    text = "ID=fedora\nSUPPORT_END=2025-12-15\n"
    sources = this_machine._replace(rootfs=write_files(tmp_path, {"etc/os-release": text}))
    _, found = identity.collect_os(sources)
    assert found.name == "node_os_support_end_timestamp_seconds"
    assert found.help == "Metric containing the end-of-life date timestamp of the OS."
    assert found.cells == (datetime(2025, 12, 15, tzinfo=timezone.utc).timestamp(),)
    write_files(tmp_path, {"etc/os-release": "ID=fedora\nSUPPORT_END=soon\n"})
    assert [section.name for section in identity.collect_os(sources)] == ["os"]
    assert sources.skips.count == 1


@pytest.mark.parametrize("date", ["1970-01-01", "2000-02-29", "2024-12-31", "2100-03-01"])
def test_date_is_a_unix_time(date: str) -> None:
    expected = datetime.fromisoformat(date).replace(tzinfo=timezone.utc).timestamp()
    assert identity.unix_time(date) == expected


@pytest.mark.parametrize(
    "date", ["2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "24-1-1", "2024-01-01x"]
)
def test_text_that_is_no_date_is_none(date: str) -> None:
    assert identity.unix_time(date) is None
