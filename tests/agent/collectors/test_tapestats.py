"""The collector ``tapestats``."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import tapestats
from support.open_families import samples

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_a_drive_is_reported_once_and_some_may_be_ignored(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    flags = Flags({"ignored-devices": re.compile("^st1$")})
    sources = this_machine._replace(sysfs=tmp_path, flags=flags)
    with pytest.raises(NoDataError):
        tapestats.collect(sources)
    files = {f"{name}/stats/read_ns": "1500000000\n" for name in ("st0", "nst0", "st0a", "st1")}
    write_files(tmp_path / "class/scsi_tape", files)
    found = samples(tapestats.collect(sources))
    assert found["node_tape_read_time_seconds_total"] == {("st0",): 1.5}
    assert found["node_tape_residual_total"] == {("st0",): 0}  # which an old kernel lacks
    assert len(found) == 10
