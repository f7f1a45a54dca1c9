"""The default of --limit.bytes: what the machine and its control groups allow."""

import os
from pathlib import Path

import pytest
from pombo_exporter.runtime.memory import default_limit

MIB = 2**20
MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
OF_MACHINE = (MACHINE - 96 * MIB) // 2


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
    assert default_limit(tmp_path, tmp_path) == OF_MACHINE


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"memory_DOT_max": "1073741824\n"}, 464 * MIB),
        ("0::/\n", {"memory_DOT_max": "max\n"}, OF_MACHINE),
        (
            "0::/a/b\n",
            {"a__memory_DOT_max": "268435456\n", "a__b__memory_DOT_max": "max\n"},
            80 * MIB,
        ),
        ("0::/a/b\n", {"a__memory_DOT_max": "268435456\n", "a__b__memory_DOT_max": "4096"}, 512),
        ("5:memory:/x\n0::/\n", {"memory__x__memory_DOT_limit_in_bytes": "268435456\n"}, 80 * MIB),
        ("5:cpu,cpuacct:/x\n", {"memory__x__memory_DOT_limit_in_bytes": "268435456\n"}, OF_MACHINE),
        # No limit is written as a number above any memory in version 1.
        (
            "5:memory:/\n",
            {"memory__memory_DOT_limit_in_bytes": "9223372036854771712"},
            OF_MACHINE,
        ),
    ],
)
def test_smallest_limit_of_the_control_groups_counts(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int
) -> None:
    assert limit(tmp_path, membership, **files) == expected
