"""The collector ``zfs``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import zfs
from pombo_wire.section import Section
from support.open_families import samples

WriteFiles = Callable[[Path, dict[str, str]], Path]

IO = "nread nwritten reads writes wtime wlentime wupdate rtime rlentime rupdate wcnt rcnt"
TITLES = "7 1 0x01 2 96 100 200\nname                            type data\n"


@pytest.fixture
def collect(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> Callable[[dict[str, str]], list[Section]]:
    """Return a function that takes files of ``/proc/spl/kstat/zfs`` and collects from them."""

    def run(files: dict[str, str]) -> list[Section]:
        write_files(tmp_path / "spl/kstat/zfs", files)
        return zfs.collect(this_machine._replace(procfs=tmp_path))

    return run


Collect = Callable[[dict[str, str]], list[Section]]


def test_host_without_zfs_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        zfs.collect(this_machine._replace(procfs=tmp_path))


def test_name_with_a_dash_has_it_in_its_help_alone(collect: Collect) -> None:
    found = collect({"fm": f"{TITLES}erpt-dropped 4 18\n"})
    help_text = "kstat.zfs.misc.fm.erpt-dropped"
    expected = Section(
        "node_zfs_fm_*", {}, ("erpt_dropped",), [18], type="untyped", help=(help_text,)
    )
    assert found == [expected]


def test_value_may_be_negative_and_text_is_ignored(collect: Collect) -> None:
    text = "memory_available_bytes 3 -4096\nversion 7 zfs-2.1\nsmall 1 5\n"
    found = collect({"arcstats": TITLES + text})
    assert samples(found) == {"node_zfs_arc_memory_available_bytes": {(): -4096}}


def test_pools_and_datasets_have_what_their_versions_have(collect: Collect) -> None:
    found = collect(
        {
            "new/state": "SUSPENDED\n",
            "new/objset-0x36": f"{TITLES}dataset_name 7 new/a b\nwrites 4 3\nsigned 3 4\n",
            "old/io": f"12 3 0x00 1 80 1 2\n{IO}\n{' '.join(map(str, range(12)))}\n",
            "old/objset-0x7": f"{TITLES}nread 4 8\n",
            "dbgmsg": "timestamp message\n",
        }
    )
    values = samples(found)
    assert values.pop("node_zfs_zpool_dataset_writes") == {("new", "new/a"): 3}
    states = values.pop("node_zfs_zpool_state")
    assert {key: value for key, value in states.items() if value} == {("new", "suspended"): 1}
    assert len(states) == 7
    assert values == {
        f"node_zfs_zpool_{name}": {("old",): value} for value, name in enumerate(IO.split())
    }


def test_line_of_an_unknown_type_is_counted() -> None:
    file = File(f"{TITLES}hits x 3\nmisses 4 8\n".encode())
    assert zfs.parse_statistics(file, {b"4"}) == {"misses": 8}
    assert file.skips.count == 1
