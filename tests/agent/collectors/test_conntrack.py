"""The collector ``conntrack``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import conntrack
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


CONNTRACK = """\
entries  searched found new invalid ignore delete insert insert_failed drop early_drop search_restart
0000000a  00000000 00000001 00000000 00000002 00000003 00000000 00000004 00000005 00000006 00000007 00000008
0000000a  00000000 000000ff 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001
"""  # noqa: E501  # as the kernel writes it


def test_statistics_are_summed_over_all_cores(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    assert conntrack.parse_statistics(File(CONNTRACK.encode())) == {
        "stat_found": 256,
        "stat_invalid": 2,
        "stat_ignore": 3,
        "stat_insert": 4,
        "stat_insert_failed": 5,
        "stat_drop": 6,
        "stat_early_drop": 7,
        "stat_search_restart": 9,
    }
    sources = this_machine._replace(procfs=tmp_path)
    with pytest.raises(NoDataError):
        conntrack.collect(sources)
    files = {"nf_conntrack_count": "12\n", "nf_conntrack_max": "262144\n"}
    write_files(tmp_path / "sys/net/netfilter", files)
    assert conntrack.collect(sources) == [
        Section("conntrack", {}, ("entries", "entries_limit"), (12, 262144))
    ]
