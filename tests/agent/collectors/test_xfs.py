"""The collector ``xfs``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import xfs

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_host_without_xfs_has_no_data(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        xfs.collect(sources)
    write_files(tmp_path / "fs/xfs", {"stats/stats": "rw 1 2\n", "sdb/log/log_head_lsn": "1:2\n"})
    assert xfs.collect(sources) == []  # that of all filesystems, and one of an old kernel


def test_line_that_is_missing_is_zero_and_one_that_is_short_is_not() -> None:
    file = File(b"rw 3 5\nbmbt 1 2 3\nqm 0\n")
    found = xfs.parse_stats(file)
    assert found[b"rw"] == {"write": 3, "read": 5}
    assert found[b"vnodes"]["get"] == 0
    assert found[b"bmbt"]["lookups"] is None
    assert file.skips.count == 1
