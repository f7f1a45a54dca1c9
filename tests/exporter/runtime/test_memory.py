"""The default of --limit.bytes: half of what the machine and its control groups allow."""

import os
from pathlib import Path

import pytest
from pombo_exporter.runtime.memory import default_limit

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def limit(root: Path, membership: str = "", **files: str) -> int:
    """Return the default on a machine with these files of control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for path, text in files.items():
        file = root / "cgroup" / path.replace("__", "/").replace("_DOT_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return default_limit(root / "cgroup", root / "proc")


def test_machine_without_control_groups_allows_all_its_memory(tmp_path: Path) -> None:
    assert default_limit(tmp_path, tmp_path) == MACHINE // 2


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"memory_DOT_max": "1048576\n"}, 2**19),
        ("0::/\n", {"memory_DOT_max": "max\n"}, MACHINE // 2),
        ("0::/a/b\n", {"a__memory_DOT_max": "1048576\n", "a__b__memory_DOT_max": "max\n"}, 2**19),
        ("0::/a/b\n", {"a__memory_DOT_max": "1048576\n", "a__b__memory_DOT_max": "4096"}, 2048),
        ("5:memory:/x\n0::/\n", {"memory__x__memory_DOT_limit_in_bytes": "1048576\n"}, 2**19),
        ("5:cpu,cpuacct:/x\n", {"memory__x__memory_DOT_limit_in_bytes": "1048576\n"}, MACHINE // 2),
        # No limit is written as a number above any memory in version 1.
        (
            "5:memory:/\n",
            {"memory__memory_DOT_limit_in_bytes": "9223372036854771712"},
            MACHINE // 2,
        ),
    ],
)
def test_smallest_limit_of_the_control_groups_counts(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int
) -> None:
    assert limit(tmp_path, membership, **files) == expected
