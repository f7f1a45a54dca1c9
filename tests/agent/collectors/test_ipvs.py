"""The collector ``ipvs``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import File
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import ipvs
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]

BACKENDS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A80016:0CEA wlc
  -> C0A85216:0CEA      Tunnel  100    248        2
  -> C0A85318:0CEA      Tunnel  7      9          3
DCCP C0A80016:0CEB wlc
  -> C0A85216:0CEA      Tunnel  1      1          1
FWM  10001000 wlc
  -> C0A83215:0CEC      Route   20     321
  -> C0A83215:0CEC      Route   20     321        5
"""
STATISTICS = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
     16A 1F5EBB4A        0    CB03DB0F9BA1D45                0
"""


def test_line_that_is_no_service_costs_its_backends_alone() -> None:
    file = File(BACKENDS.encode())
    found = ipvs.parse_backends(file)
    assert [(texts["proto"], texts["local_mark"], values) for texts, values in found] == [
        ("TCP", "", [100, 248, 2]),
        ("TCP", "", [7, 9, 3]),
        ("FWM", "10001000", [20, 321, 5]),
    ]
    assert file.skips.count == 3


def test_backends_that_do_not_differ_in_the_labels_are_summed(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path / "1/net", {"ip_vs_stats": STATISTICS, "ip_vs": BACKENDS})
    flags = Flags({"backend-labels": "proto,local_address"})
    totals, backends = ipvs.collect(this_machine._replace(procfs=tmp_path, flags=flags))
    assert [*totals.cells] == [0x16A, 0x1F5EBB4A, 0, 0xCB03DB0F9BA1D45, 0]
    assert totals.values[:2] == ("connections", "incoming_packets")
    assert backends == Section(
        "node_ipvs_backend_*",
        {"local_address": ("192.168.0.22", ""), "proto": ("TCP", "FWM")},
        ("weight", "connections_active", "connections_inactive"),
        [107, 20, 257, 321, 5, 5],
        type="gauge",
        help=backends.help,
    )


def test_unknown_label_is_an_error(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    write_files(tmp_path / "1/net", {"ip_vs_stats": STATISTICS})
    flags = Flags({"backend-labels": "proto,colour"})
    with pytest.raises(ValueError, match="colour"):
        ipvs.collect(this_machine._replace(procfs=tmp_path, flags=flags))


def test_host_without_a_virtual_server_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ipvs.collect(this_machine._replace(procfs=tmp_path))
