"""The collectors of module ``clock``: time and timex."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import clock
from pombo_wire.section import Section

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_current_clock_source_is_1_and_the_others_are_0(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    files = {
        "clocksource0/available_clocksource": "tsc hpet acpi_pm \n",
        "clocksource0/current_clocksource": "hpet\n",
    }
    write_files(tmp_path / "devices/system/clocksource", files)
    found = clock.collect_time(this_machine._replace(sysfs=tmp_path))[-1]
    assert found == Section(
        "clock_sources",
        {"device": ("0",) * 3, "clocksource": ("tsc", "hpet", "acpi_pm")},
        ("current",),
        [0, 1, 0],
    )


ADJTIMEX = {
    "offset": -250_000,
    "freq": 65_536_000,
    "maxerror": 16_000_000,
    "esterror": 500,
    "status": 0x2001,
    "constant": 7,
    "precision": 1,
    "tolerance": 32_768_000,
    "tv_sec": 0,
    "tv_usec": 0,
    "tick": 10_000,
    "ppsfreq": -65_536_000_000,
    "jitter": 2_000,
    "shift": 4,
    "stabil": 131_072_000_000,
    "jitcnt": 1,
    "calcnt": 2,
    "errcnt": 3,
    "stbcnt": 5,
    "tai": 37,
}


def test_timex_in_nanoseconds_becomes_seconds() -> None:
    found = clock.timex(0, ADJTIMEX)
    assert found == {
        "offset": -0.00025,
        "frequency_ratio": pytest.approx(1.001),
        "maxerror": 16.0,
        "estimated_error": 0.0005,
        "status": 8193,
        "sync_status": 1,
        "loop_time_constant": 7,
        "tick": 0.01,
        "tai_offset": 37,
        "pps_frequency": -1.0,
        "pps_jitter": 0.000002,
        "pps_shift": 4,
        "pps_stability": 2.0,
        "pps_jitter_exceeded": 1,
        "pps_calibrations": 2,
        "pps_errors": 3,
        "pps_stability_exceeded": 5,
    }


def test_timex_in_microseconds_becomes_seconds() -> None:
    found = clock.timex(5, ADJTIMEX | {"status": 64})
    assert (found["offset"], found["pps_jitter"]) == (-0.25, 0.002)
    assert found["sync_status"] == 0
