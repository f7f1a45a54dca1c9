"""Fibre Channel: hosts and their counters."""

import os.path

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_INFO = "Non-numeric data from /sys/class/fc_host/<host>, value is always 1."
_TEXTS = (
    "speed",
    "port_state",
    "port_type",
    "port_id",
    "port_name",
    "fabric_name",
    "symbolic_name",
    "supported_classes",
    "supported_speeds",
    "dev_loss_tmo",
)
_HEXADECIMAL = {"port_id", "port_name", "fabric_name"}  # shown without 0x

# File in the folder statistics of a host: family and its HELP text.
_COUNTERS = {
    "dumped_frames": ("dumped_frames", "Number of dumped frames"),
    "error_frames": ("error_frames", "Number of errors in frames"),
    "fcp_packet_aborts": ("fcp_packet_aborts", "Number of aborted packets"),
    "invalid_crc_count": ("invalid_crc", "Invalid Cyclic Redundancy Check count"),
    "invalid_tx_word_count": (
        "invalid_tx_words",
        "Number of invalid words transmitted by host port",
    ),
    "link_failure_count": ("link_failure", "Number of times the host port link has failed"),
    "loss_of_signal_count": ("loss_of_signal", "Number of times signal has been lost"),
    "loss_of_sync_count": (
        "loss_of_sync",
        "Number of failures on either bit or transmission word boundaries",
    ),
    "nos_count": (
        "nos",
        "Number Not_Operational Primitive Sequence received by host port",
    ),
    "rx_frames": ("rx_frames", "Number of frames received"),
    "rx_words": ("rx_words", "Number of words received by host port"),
    "seconds_since_last_reset": (
        "seconds_since_last_reset",
        "Number of seconds since last host port reset",
    ),
    "tx_frames": ("tx_frames", "Number of frames transmitted by host port"),
    "tx_words": ("tx_words", "Number of words transmitted by host port"),
}
_HELPS = dict(_COUNTERS.values())
_ZEROS: dict[str, float | None] = dict.fromkeys(_HELPS, 0)
_FILES = {column: name for name, (column, _) in _COUNTERS.items()}
_NO_COUNTER = 2**64 - 1  # what the firmware has where it lacks a counter


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_fibrechannel_*``."""
    classes = f"{sources.sysfs}/class/fc_host"
    if not os.path.isdir(classes):
        raise NoDataError("no Fibre Channel host")
    hosts: list[tuple[Cell, ...]] = []
    rows: list[Row] = []
    for host in sources.names(classes):
        texts = sources.texts(f"{classes}/{host}", _TEXTS)
        hosts.append((host, *(_shown(name, texts.get(name, "")) for name in _TEXTS), 1))
        rows.append({"fc_host": host, **_counters(sources, f"{classes}/{host}/statistics")})
    labels = ("fc_host", *_TEXTS)
    return [
        *family("node_fibrechannel_info", "gauge", _INFO, labels, hosts),
        *families("node_fibrechannel_*_total", "counter", _HELPS, ("fc_host",), rows),
    ]


def _counters(sources: Sources, path: str) -> dict[str, float | None]:
    """Return the counters of a host. One that its driver lacks is 0, as in node_exporter."""
    names = {*sources.names(path)}
    if not names:
        return {}
    values = sources.values(
        path, {column: name for column, name in _FILES.items() if name in names}
    )
    return {column: value for column, value in {**_ZEROS, **values}.items() if value != _NO_COUNTER}


def _shown(name: str, text: str) -> str:
    return text[2:] if name in _HEXADECIMAL and len(text) > 2 else text


COLLECTORS = [Collector("fibrechannel", collect)]
