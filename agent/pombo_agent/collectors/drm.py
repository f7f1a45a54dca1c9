"""Graphics cards: their load and their memory, which only the driver of AMD tells."""

import os.path
import re

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import Cell, Row, families, family

_HELPS = {
    "gpu_busy_percent": "How busy the GPU is as a percentage.",
    "memory_gtt_size_bytes": "The size of the graphics translation table (GTT) block in bytes.",
    "memory_gtt_used_bytes": (
        "The used amount of the graphics translation table (GTT) block in bytes."
    ),
    "memory_vis_vram_size_bytes": "The size of visible VRAM in bytes.",
    "memory_vis_vram_used_bytes": "The used amount of visible VRAM in bytes.",
    "memory_vram_size_bytes": "The size of VRAM in bytes.",
    "memory_vram_used_bytes": "The used amount of VRAM in bytes.",
}
_FILES = {
    "gpu_busy_percent": "gpu_busy_percent",
    "memory_gtt_size_bytes": "mem_info_gtt_total",
    "memory_gtt_used_bytes": "mem_info_gtt_used",
    "memory_vis_vram_size_bytes": "mem_info_vis_vram_total",
    "memory_vis_vram_used_bytes": "mem_info_vis_vram_used",
    "memory_vram_size_bytes": "mem_info_vram_total",
    "memory_vram_used_bytes": "mem_info_vram_used",
}
_TEXTS = {
    "memory_vendor": "mem_info_vram_vendor",
    "power_performance_level": "power_dpm_force_performance_level",
    "unique_id": "unique_id",
}
_CARD = re.compile("card[0-9]")
_LABELS = ("card", *_TEXTS, "vendor")


def collect(sources: Sources) -> list[Section]:
    """Return the open families ``node_drm_*``.

    As node_exporter 1.5 does, they have all cards, and AMD as the vendor of each.
    """
    cards = f"{sources.sysfs}/class/drm"
    rows: list[Row] = []
    info: list[tuple[Cell, ...]] = []
    for card in sources.names(cards, "card"):
        device = f"{cards}/{card}/device"
        if _CARD.fullmatch(card) and os.path.isdir(device):
            rows.append({"card": card, **_values(sources, device)})
            texts = sources.texts(device, _TEXTS.values())
            info.append((card, *(texts.get(file) for file in _TEXTS.values()), "amd", 1))
    return [
        *families("node_drm_*", "gauge", _HELPS, ("card",), rows),
        *family("node_drm_card_info", "gauge", "Card information", _LABELS, info),
    ]


def _values(sources: Sources, device: str) -> dict[str, float | None]:
    """Return the numbers of a card; where it lacks a file, 0, as node_exporter reports it."""
    return {
        column: sources.value(path) if os.path.lexists(path) else 0
        for column, path in ((column, f"{device}/{file}") for column, file in _FILES.items())
    }


COLLECTORS = [Collector("drm", collect, enabled=False)]
