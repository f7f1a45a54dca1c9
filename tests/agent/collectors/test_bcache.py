"""The collector ``bcache``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import bcache
from support.open_families import samples

WriteFiles = Callable[[Path, dict[str, str]], Path]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"17", 17),
        (b"-3", -3),
        (b"0.9", 0),
        (b"1.512k", 52224),
        (b"1.5M", 1560576),
        (b"-790.0k", -808960),
        (b"2T", 2 * 2**40),
        (b"5B", None),
        (b"", None),
        (b"k", None),
    ],
)
def test_size(text: bytes, value: float | None) -> None:
    file = File(b"")
    assert bcache.size(file, text) == value
    assert file.skips.count == (value is None)


def test_priorities_are_read_where_a_flag_says_so(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    assert bcache.collect(sources) == []
    files = {
        "register": "",
        "a-b/cache0/io_errors": "1\n",
        "a-b/cache0/priority_stats": "Unused:\t99%\n",
        "a-b/cache_available_percent": "93\n",
    }
    write_files(tmp_path / "fs/bcache", files)
    expected = samples(bcache.collect(sources))
    assert expected["node_bcache_cache_available_percent"] == {("a-b",): 93}
    assert expected["node_bcache_congested"] == {("a-b",): 0}  # newer kernels lack it
    assert expected["node_bcache_io_errors"] == {("a-b", "cache0"): 1}
    sources = sources._replace(flags=Flags({"priorityStats": True}))
    assert samples(bcache.collect(sources)) == {
        **expected,
        "node_bcache_priority_stats_unused_percent": {("a-b", "cache0"): 99},
        "node_bcache_priority_stats_metadata_percent": {("a-b", "cache0"): 0},
    }
