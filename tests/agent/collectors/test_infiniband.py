"""The collector ``infiniband``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collectors import infiniband

WriteFiles = Callable[[Path, dict[str, str]], Path]


@pytest.fixture
def port(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> Callable[[dict[str, str]], dict[str, float]]:
    """Return a function that takes the files of a port, and returns its values by family."""

    def read(files: dict[str, str]) -> dict[str, float]:
        write_files(tmp_path / "class/infiniband/mlx5_0/ports/1", files)
        sections = infiniband.collect(this_machine._replace(sysfs=tmp_path))
        found: dict[str, float] = {}
        for section in sections:
            columns = section.columns or {"": section.cells}
            for name, (cell,) in columns.items():
                family = section.name.replace("*", name).removeprefix("node_infiniband_")
                if cell is not None and family != "info":
                    found[family] = cell
        return found

    return read


Port = Callable[[dict[str, str]], dict[str, float]]


def test_counters_of_the_hardware_are_reported_where_the_driver_has_them(port: Port) -> None:
    files = {
        "duplicate_request": "3",
        "lifespan": "12000",
        "np_cnp_sent": "5",
        "out_of_buffer": "7",
        "roce_adp_retrans_to": "11",
        "roce_slow_restart": "13",
        "roce_slow_restart_trans": "17",
        "rp_cnp_ignored": "19",
        "rx_icrc_encapsulated": "23",
        "a_file_of_a_newer_driver": "29",
    }
    assert port({f"hw_counters/{name}": text for name, text in files.items()}) == {
        "lifespan_seconds": 12,
        "duplicate_requests_packets_total": 3,
        "np_cnp_packets_sent_total": 5,
        "out_of_buffer_drops_total": 7,
        "roce_adp_retransmits_timeout_total": 11,
        "roce_slow_restart_used_total": 13,
        "roce_slow_restart_total": 17,
        "rp_cnp_ignored_packets_received_total": 19,
        "rx_icrc_encapsulated_errors_total": 23,
    }


def test_every_family_has_a_help_text_that_the_wire_accepts() -> None:
    assert all(0 < len(text) <= 255 for text in infiniband._HELPS.values())  # noqa: SLF001
    assert len(infiniband._HELPS) == 22 + 8 + 29  # noqa: SLF001


def test_data_are_counted_in_units_of_four_bytes(port: Port) -> None:
    files = {
        "counters/port_rcv_data": "10",
        "counters/port_rcv_packets": "10",
        "counters_ext/port_xmit_data_64": "10",
    }
    assert port(files) == {
        "port_data_received_bytes_total": 40,
        "port_packets_received_total": 10,
        "legacy_data_transmitted_bytes_total": 40,
    }


def test_counter_that_the_port_lacks_is_omitted_and_no_fault(
    port: Port, this_machine: Sources
) -> None:
    files = {"counters/link_downed": "N/A (no PMA)\n", "state": "4: ACTIVE\n", "rate": "10"}
    assert port(files) == {"state_id": 4, "rate_bytes_per_second": 1_250_000_000}
    assert this_machine.skips.count == 0


def test_host_without_infiniband_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        infiniband.collect(this_machine._replace(sysfs=tmp_path))
