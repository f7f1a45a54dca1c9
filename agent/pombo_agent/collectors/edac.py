"""Memory errors, corrected or not: of each memory controller, its rows and their channels."""

import os.path
import re
from functools import partial

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import NoDataError, Sources
from pombo_agent.collecting.tables import Cell, Row, families

_FILES = {"correctable": "ce_count", "uncorrectable": "ue_count"}
_WITHOUT_ROW = {"correctable": "ce_noinfo_count", "uncorrectable": "ue_noinfo_count"}

_NUMBERED = re.compile(r"([0-9]+)")
_CHANNEL = re.compile(r"ch([0-9]+)_ce_count")


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_edac_*errors_total``."""
    controllers = f"{sources.sysfs}/devices/system/edac/mc"
    if not os.path.isdir(controllers):
        raise NoDataError("no memory controller that detects errors")
    tables: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
    sources.rows(controllers, partial(_add_controller, sources, tables), "mc")
    kinds = ("", "csrow_", "channel_")
    endings = ("", " for this csrow", " for this channel")
    labels = ("controller", "csrow", "channel", "dimm_label")
    found: list[Section] = []
    for kind, ending, count, rows in zip(kinds, endings, (1, 2, 4), tables, strict=True):
        helps = {column: f"Total {column} memory errors{ending}." for column in _FILES}
        name = f"node_edac_{kind}*_errors_total"
        found += families(name, "counter", helps, labels[:count], rows)
    return found


def _add_controller(
    sources: Sources, tables: tuple[list[Row], list[Row], list[Row]], path: str, name: str
) -> None:
    """Add the row of a controller, those of its memory, and those of their channels."""
    if not (number := _NUMBERED.match(name)):
        return
    controllers, csrows, channels = tables
    of_controller: dict[str, Cell] = {"controller": number[1]}
    controllers.append({**of_controller, **sources.values(path, _FILES)})
    csrows.append({**of_controller, "csrow": "unknown", **sources.values(path, _WITHOUT_ROW)})
    for entry in sources.names(path, "csrow"):
        if csrow := _NUMBERED.match(entry, len("csrow")):
            of_row = {**of_controller, "csrow": csrow[1]}
            csrows.append({**of_row, **sources.values(f"{path}/{entry}", _FILES)})
            _add_channels(sources, channels, f"{path}/{entry}", of_row)


def _add_channels(
    sources: Sources, channels: list[Row], path: str, of_row: dict[str, Cell]
) -> None:
    for entry in sources.names(path, "ch"):
        if channel := _CHANNEL.fullmatch(entry):
            files = {column: f"ch{channel[1]}_{file}" for column, file in _FILES.items()}
            text = sources.text(f"{path}/ch{channel[1]}_dimm_label")
            label = "unknown" if text is None else dimm_label(text)
            of_channel = {"channel": channel[1], "dimm_label": label}
            channels.append({**of_row, **of_channel, **sources.values(path, files)})


def dimm_label(text: str) -> str:
    """Return the name of a memory module as node_exporter writes it."""
    return text.replace("#", "").replace("csrow", "_csrow").replace("channel", "_channel")


COLLECTORS = [Collector("edac", collect)]
