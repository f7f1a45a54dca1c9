"""The collector ``edac``: what node_exporter 1.5 does not have."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import edac
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_channels_of_a_row_have_the_names_of_their_modules(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "mc0/csrow0/ch0_ce_count": "3\n",
        "mc0/csrow0/ch0_ue_count": "1\n",
        "mc0/csrow0/ch0_dimm_label": "mc#0csrow#0channel#0\n",
        "mc0/csrow0/ch1_ce_count": "4\n",
        "power/control": "auto\n",
        "mc/name": "no controller\n",
    }
    write_files(tmp_path / "devices/system/edac/mc", files)
    assert edac.collect(this_machine._replace(sysfs=tmp_path)) == [
        Section(
            "node_edac_channel_*_errors_total",
            {
                "controller": ("0", "0"),
                "csrow": ("0", "0"),
                "channel": ("0", "1"),
                "dimm_label": ("mc0_csrow0_channel0", "unknown"),
            },
            ("correctable", "uncorrectable"),
            [3, 4, 1, None],
            type="counter",
            help=(
                "Total correctable memory errors for this channel.",
                "Total uncorrectable memory errors for this channel.",
            ),
        )
    ]


def test_modules_are_reported_where_there_are_no_rows(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "mc0/dimm0/dimm_ce_count": "7\n",
        "mc0/dimm0/dimm_ue_count": "1\n",
        "mc0/dimm0/dimm_label": "CPU_SrcID#0_MC#0_Chan#0_DIMM#0\n",
        "mc0/rank3/dimm_ce_count": "8\n",
        "mc1/csrow0/size_mb": "4096\n",
        "mc1/rank0/dimm_ce_count": "9\n",
    }
    write_files(tmp_path / "devices/system/edac/mc", files)
    assert edac.collect(this_machine._replace(sysfs=tmp_path)) == [
        Section(
            "node_edac_dimm_*_errors_total",
            {
                "controller": ("0", "0"),
                "dimm": ("0", "3"),
                "dimm_label": ("CPU_SrcID#0_MC#0_Chan#0_DIMM#0", ""),
            },
            ("correctable", "uncorrectable"),
            [7, 8, 1, None],
            type="counter",
            help=(
                "Total correctable memory errors for this DIMM.",
                (
                    "Total uncorrectable memory errors for this DIMM. Best effort: errors the"
                    " controller cannot localize to a slot are counted in ue_noinfo_count instead."
                ),
            ),
        )
    ]


def test_host_without_error_detection_is_a_success(this_machine: Sources, tmp_path: Path) -> None:
    assert edac.collect(this_machine._replace(sysfs=tmp_path)) == []
