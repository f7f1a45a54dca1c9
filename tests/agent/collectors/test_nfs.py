"""The collectors of module ``nfs``: nfs and nfsd."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import nfs
from support.open_families import samples

WriteFiles = Callable[[Path, dict[str, str]], Path]


@pytest.fixture
def sources(this_machine: Sources, tmp_path: Path) -> Sources:
    return this_machine._replace(procfs=tmp_path)


def numbers(count: int) -> str:
    """Return a count, and as many numbers from 1 on."""
    return " ".join(map(str, [count, *range(1, count + 1)]))


def test_what_a_kernel_lacks_is_zero(
    sources: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    text = f"rpc 1 2 3\nproc3 {numbers(22)}\nproc4 {numbers(48)}\n"
    write_files(tmp_path, {"net/rpc/nfs": text})
    found = samples(nfs.collect_client(sources))
    assert sources.skips.count == 0
    assert found["node_nfs_rpc_retransmissions_total"] == {(): 2}
    assert found["node_nfs_connections_total"] == {(): 0}
    assert found["node_nfs_packets_total"] == {("udp",): 0, ("tcp",): 0}
    requests = found["node_nfs_requests_total"]
    assert len(requests) == 18 + 22 + 59
    assert requests["3", "Commit"] == 22
    assert requests["2", "Null"] == 0
    assert requests["4", "ReclaimComplete"] == 44
    assert requests["4", "LayoutGet"] == 45
    assert requests["4", "LayoutReturn"] == 48
    assert requests["4", "Clone"] == 0


def test_line_with_another_number_of_values_is_counted(
    sources: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path, {"net/rpc/nfs": f"net 1 2\nproc2 {numbers(18)} 19\n"})
    found = samples(nfs.collect_client(sources))
    assert sources.skips.count == 2
    assert "node_nfs_packets_total" not in found
    assert not [key for key in found["node_nfs_requests_total"] if key[0] == "2"]


def test_server_of_an_old_and_of_a_new_kernel(
    sources: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path, {"net/rpc/nfsd": f"th 8 0 0.000\nproc4ops {numbers(39)}\n"})
    found = samples(nfs.collect_server(sources))
    assert found["node_nfsd_server_threads"] == {(): 8}
    assert found["node_nfsd_requests_total"]["4", "RelLockOwner"] == 38
    text = f"proc3 {numbers(22)}\nproc4ops {numbers(76)}\nwdeleg_getattr 15\n"
    write_files(tmp_path, {"net/rpc/nfsd": text})
    found = samples(nfs.collect_server(sources))
    requests = found["node_nfsd_requests_total"]
    assert requests["4", "SetAttr"] == 35
    assert requests["4", "Verify"] == 36  # as node_exporter has it; the kernel has it at 38
    assert requests["4", "WdelegGetattr"] == 15
    assert requests["3", "GetAttr"] == 2
    assert ("3", "Null") not in requests
    assert ("4", "") not in requests
    assert sources.skips.count == 0
