"""The collectors of module ``sockstat``: sockstat and udp_queues."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import sockstat
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_memory_of_sockets_is_in_pages_and_in_bytes() -> None:
    text = "sockets: used 16\nTCP: inuse 1 orphan 0 tw 304 alloc 1 mem 2\nFRAG: inuse 0 memory 5\n"
    assert sockstat.parse_sockstat(File(text.encode()), 65536) == {
        "sockets_used": 16,
        "TCP_inuse": 1,
        "TCP_orphan": 0,
        "TCP_tw": 304,
        "TCP_alloc": 1,
        "TCP_mem": 2,
        "TCP_mem_bytes": 131072,
        "FRAG_inuse": 0,
        "FRAG_memory": 5,
    }


UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  281: 00000000:138D 00000000:0000 07 00000010:000001FF 00:00000000 00000000     0        0 28931 2 0000000000000000 0
  702: 0100007F:0035 00000000:0000 07 00000001:00000001 00:00000000 00000000     0        0 28934 2 0000000000000000 0
"""  # noqa: E501  # as the kernel writes it


def test_queues_of_udp_are_summed_over_all_sockets() -> None:
    assert sockstat.parse_udp(File(UDP.encode())) == (0x11, 0x200)


def test_host_without_ipv6_has_no_counts_of_it(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    procfs = write_files(tmp_path, {"1/net/sockstat": "sockets: used 16\n"})
    sources = this_machine._replace(procfs=procfs)
    assert sockstat.collect_sockstat(sources) == [Section("sockstat", {}, ("sockets_used",), (16,))]
    assert sockstat.collect_udp_queues(sources) == []


def test_counts_of_ipv6_do_not_need_those_of_ipv4(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    procfs = write_files(tmp_path, {"net/sockstat6": "TCP6: inuse 3\n"})
    sources = this_machine._replace(procfs=procfs)
    assert sockstat.collect_sockstat(sources) == [Section("sockstat", {}, ("TCP6_inuse",), (3,))]
    with pytest.raises(NoDataError):
        sockstat.collect_sockstat(this_machine._replace(procfs=str(tmp_path / "empty")))
