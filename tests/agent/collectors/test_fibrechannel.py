"""The collector ``fibrechannel``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import fibrechannel

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_counter_that_the_firmware_lacks_is_omitted_and_one_that_the_driver_lacks_is_0(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "port_name": "0x100000109b1a2b3c\n",
        "statistics/rx_frames": "0xffffffffffffffff\n",
        "statistics/tx_frames": "0x1f\n",
    }
    write_files(tmp_path / "class/fc_host/host7", files)
    info, *counters = fibrechannel.collect(this_machine._replace(sysfs=tmp_path))
    assert info.labels["port_name"] == ("100000109b1a2b3c",)
    assert info.labels["speed"] == ("",)
    found = {section.name: section.cells for section in counters}
    assert found["node_fibrechannel_tx_frames_total"] == (31,)
    assert found["node_fibrechannel_nos_total"] == (0,)
    assert "node_fibrechannel_rx_frames_total" not in found


def test_host_without_fibre_channel_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        fibrechannel.collect(this_machine._replace(sysfs=tmp_path))
