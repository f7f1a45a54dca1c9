"""The collector ``ksmd``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import ksmd
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_files_that_exist_have_families(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    with pytest.raises(NoDataError):
        ksmd.collect(sources)
    files = {"sleep_millisecs": "20\n", "full_scans": "323\n", "run": "1\n", "advisor_mode": "x\n"}
    write_files(tmp_path / "kernel/mm/ksm", files)
    assert ksmd.collect(sources) == [
        Section(
            "node_ksmd_*",
            {},
            ("run", "sleep_seconds"),
            [1, 0.02],
            type="gauge",
            help=("ksmd 'run' file.", "ksmd 'sleep_millisecs' file."),
        ),
        Section(
            "node_ksmd_full_scans_total",
            {},
            (),
            (323,),
            type="counter",
            help="ksmd 'full_scans' file.",
        ),
    ]
