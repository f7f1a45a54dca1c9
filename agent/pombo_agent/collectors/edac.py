"""Memory errors, corrected or not: of each memory controller, and where in its memory they were."""

import re
from functools import partial
from typing import NamedTuple

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, families

_FILES = {"correctable": "ce_count", "uncorrectable": "ue_count"}
_WITHOUT_ROW = {"correctable": "ce_noinfo_count", "uncorrectable": "ue_noinfo_count"}

_DIMM_FILES = {"correctable": "dimm_ce_count", "uncorrectable": "dimm_ue_count"}

_DIMM_HELPS = {
    "correctable": "Total correctable memory errors for this DIMM.",
    "uncorrectable": "Total uncorrectable memory errors for this DIMM. Best effort: errors the"
    " controller cannot localize to a slot are counted in ue_noinfo_count instead.",
}

_NUMBERED = re.compile(r"([0-9]+)")
_DIMM = re.compile(r"(?:dimm|rank)([0-9]+)")
_CSROW = re.compile(r"csrow([0-9]+)")
_CHANNEL = re.compile(r"ch([0-9]+)_ce_count")


class Tables(NamedTuple):
    """The rows of controllers, and of what they have."""

    controllers: list[Row]
    csrows: list[Row]
    channels: list[Row]
    dimms: list[Row]


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_edac_*errors_total``.

    As in node_exporter, a host without a controller that detects errors is a success.
    """
    controllers = f"{sources.sysfs}/devices/system/edac/mc"
    tables = Tables([], [], [], [])
    sources.rows(controllers, partial(_add_controller, sources, tables), "mc")
    name = "node_edac_{}*_errors_total"
    channel = ("controller", "csrow", "channel", "dimm_label")
    dimm = ("controller", "dimm", "dimm_label")
    return [
        *families(name.format(""), "counter", _helps(""), channel[:1], tables.controllers),
        *families(
            name.format("csrow_"), "counter", _helps(" for this csrow"), channel[:2], tables.csrows
        ),
        *families(
            name.format("channel_"),
            "counter",
            _helps(" for this channel"),
            channel,
            tables.channels,
        ),
        *families(name.format("dimm_"), "counter", _DIMM_HELPS, dimm, tables.dimms),
    ]


def _helps(ending: str) -> dict[str, str]:
    return {column: f"Total {column} memory errors{ending}." for column in _FILES}


def _add_controller(sources: Sources, tables: Tables, path: str, name: str) -> None:
    """Add the row of a controller, those of its memory, and those of their channels.

    Its modules are added where it has no rows, since else each error would be counted twice.
    """
    if not (number := _NUMBERED.match(name)):
        return
    of_controller: dict[str, Cell] = {"controller": number[1]}
    tables.controllers.append({**of_controller, **sources.values(path, _FILES)})
    without = sources.values(path, _WITHOUT_ROW)
    tables.csrows.append({**of_controller, "csrow": "unknown", **without})
    entries = sources.names(path)
    rows = [found for entry in entries if (found := _CSROW.match(entry))]
    for row in rows:
        folder = f"{path}/{row.string}"
        of_row = {**of_controller, "csrow": row[1]}
        tables.csrows.append({**of_row, **sources.values(folder, _FILES)})
        _add_channels(sources, tables.channels, folder, of_row)
    for entry in () if rows else entries:
        if dimm := _DIMM.fullmatch(entry):
            folder = f"{path}/{entry}"
            texts = {"dimm": dimm[1], "dimm_label": sources.text(f"{folder}/dimm_label")}
            counts = sources.values(folder, _DIMM_FILES)
            tables.dimms.append({**of_controller, **texts, **counts})


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
