"""The collector ``mdadm``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import mdadm
from support.open_families import samples

WriteFiles = Callable[[Path, dict[str, str]], Path]

STATUS = "      4096 blocks super 1.2 [2/1] [U_]"


def array(*lines: str, title: str = "md0 : active raid1 sdb1[1] sda1[0]") -> dict[str, object]:
    """Return what is read of an array with these lines below its title."""
    file = File("\n".join(("Personalities : [raid1]", title, *lines, "", "unused")).encode())
    (found,) = mdadm.parse_mdstat(file).values()
    return {**found, "skipped": file.skips.count}


def test_array_without_progress_is_synchronised() -> None:
    assert array(STATUS) == {
        "device": "md0",
        "state": "active",
        "failed": 0,
        "spare": 0,
        "active": 1,
        "disks_required": 2,
        "blocks": 4096,
        "blocks_synced": 4096,
        "skipped": 0,
    }


@pytest.mark.parametrize(
    ("line", "state", "synced"),
    [
        ("[>.] recovery = 8.5% (1024/4096) finish=1.0min speed=2K/sec", "recovering", 1024),
        ("[>.] resync = 8.5% (1024/4096) finish=1.0min speed=2K/sec", "resync", 1024),
        ("[>.] check = 8.5% (1024/4096) finish=1.0min speed=2K/sec", "check", 1024),
        ("\tresync=DELAYED", "resync", 0),
        ("\tresync=PENDING", "resync", 0),
        ("\tresync=REMOTE", "resync", 0),
        ("bitmap: 0/1 pages [0KB], 65536KB chunk, file: /check", "active", 4096),
        ("[>.] reshape = 8.5% (1024/4096) finish=1.0min speed=2K/sec", "active", 4096),
    ],
)
def test_line_of_progress_gives_the_state(line: str, state: str, synced: int) -> None:
    bitmap = "      bitmap: 0/1 pages [0KB], 65536KB chunk"
    for lines in ([line], [line, bitmap], [bitmap, line]):
        found = array(STATUS, *(f"      {each}" for each in lines))
        assert (found["state"], found["blocks_synced"]) == (state, synced)
        assert found["skipped"] == 0


def test_disks_are_counted_in_the_title_where_a_level_has_no_redundancy() -> None:
    found = array("      4096 blocks 64k chunks", title="md1 : active raid0 sda1[0] sdb1[1]")
    assert (found["active"], found["disks_required"]) == (2, 2)
    found = array("      4096 blocks super external:imsm", title="md2 : inactive sda[0](S)")
    assert (found["state"], found["active"], found["spare"]) == ("inactive", 0, 1)


def test_line_without_the_state_of_the_disks_costs_the_disks_alone() -> None:
    found = array("      4096 blocks super 1.2")
    assert (found["blocks"], found.get("active"), found["skipped"]) == (4096, None, 1)


def test_line_that_belongs_to_no_array_is_counted() -> None:
    file = File(f"{STATUS}\n\nmd0 : active raid1 sda[0]\n{STATUS}\n".encode())
    assert [*mdadm.parse_mdstat(file)] == ["md0"]
    assert file.skips.count == 1


def test_sysfs_has_arrays_of_its_own(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path, {"mdstat": f"md0 : active raid1 sda[0]\n{STATUS}\n"})
    blocks = {
        "md0/md/level": "raid1\n",
        "md0/md/raid_disks": "2\n",
        "md0/md/degraded": "1\n",
        "md7/md/level": "raid0\n",
        "md7/md/raid_disks": "4\n",
        "md8/size": "0\n",
        "sda/size": "5\n",
    }
    write_files(tmp_path / "block", blocks)
    found = samples(mdadm.collect(this_machine._replace(procfs=tmp_path, sysfs=tmp_path)))
    assert found["node_md_raid_disks"] == {("md0",): 2, ("md7",): 4}
    assert found["node_md_degraded"] == {("md0",): 1, ("md7",): 0}
    assert found["node_md_disks_required"] == {("md0",): 2}
    states = {("md0", "active"): 1, ("md0", "failed"): 0, ("md0", "spare"): 0}
    assert found["node_md_disks"] == states
    assert len(found["node_md_state"]) == 5


def test_module_without_an_array_is_no_fault(this_machine: Sources, tmp_path: Path) -> None:
    sources = this_machine._replace(procfs=tmp_path, sysfs=tmp_path)
    with pytest.raises(FileNotFoundError):
        mdadm.collect(sources)
    (tmp_path / "mdstat").write_text("Personalities : \nunused devices: <none>\n")
    assert mdadm.collect(sources) == []
    assert sources.skips.count == 0
