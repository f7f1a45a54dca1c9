"""Clock: time, time zone, clock sources, and synchronisation."""

import time
from functools import partial

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Row, record, table

# Of adjtimex(2): the clock is not synchronised; offset and jitter are in nanoseconds.
_TIME_ERROR = 5
_STA_NANO = 0x2000

# Frequencies are in parts per million, as fixed-point numbers with 16 fractional bits.
_FREQUENCY_UNIT = 1e6 * 2**16


def collect_time(sources: Sources) -> list[Section]:
    """Return the time, the time zone and, where the kernel has them, the clock sources."""
    devices = f"{sources.sysfs}/devices/system/clocksource"
    found = sources.rows(devices, partial(_clock_sources, sources), "clocksource")
    rows = [row for of_device in found for row in of_device]
    return local_time(time.time()) + table("clock_sources", rows)


def local_time(now: float) -> list[Section]:
    """Return the time, in Unix seconds, and the time zone with its offset at that time."""
    here = time.localtime(now)
    zone: Row = {"time_zone": here.tm_zone, "offset": here.tm_gmtoff}
    return record("system", {"time": round(now, 6)}) + record("time_zone", zone)


def _clock_sources(sources: Sources, path: str, device: str) -> list[Row]:
    """Return a row for each clock source of one device of ``/sys``."""
    available = sources.text(f"{path}/available_clocksource") or ""
    current = sources.text(f"{path}/current_clocksource")
    return [
        {"device": device, "clocksource": name, "current": int(name == current)}
        for name in available.split()
    ]


def collect_timex(_sources: Sources) -> list[Section]:
    """Return the ``timex`` section."""
    # Imported here, since ctypes may fail where memory must not be executable. Only this collector
    # fails then.
    from pombo_agent.collectors.adjtimex import adjtimex  # noqa: PLC0415

    try:
        state, fields = adjtimex()
    except PermissionError as error:
        raise NoDataError(str(error)) from error
    return record("timex", timex(state, fields))


def timex(state: int, fields: dict[str, int]) -> dict[str, float]:
    """Return the fields of ``struct timex`` in base units; ``state`` is that of the clock."""
    fine = 1e9 if fields["status"] & _STA_NANO else 1e6
    return {
        "offset": fields["offset"] / fine,
        "frequency_ratio": 1 + fields["freq"] / _FREQUENCY_UNIT,
        "maxerror": fields["maxerror"] / 1e6,
        "estimated_error": fields["esterror"] / 1e6,
        "status": fields["status"],
        "sync_status": int(state != _TIME_ERROR),
        "loop_time_constant": fields["constant"],
        "tick": fields["tick"] / 1e6,
        "tai_offset": fields["tai"],
        "pps_frequency": fields["ppsfreq"] / _FREQUENCY_UNIT,
        "pps_jitter": fields["jitter"] / fine,
        "pps_shift": fields["shift"],
        "pps_stability": fields["stabil"] / _FREQUENCY_UNIT,
        "pps_jitter_exceeded": fields["jitcnt"],
        "pps_calibrations": fields["calcnt"],
        "pps_errors": fields["errcnt"],
        "pps_stability_exceeded": fields["stbcnt"],
    }


COLLECTORS = [
    Collector("time", collect_time),
    Collector("timex", collect_timex),
]
