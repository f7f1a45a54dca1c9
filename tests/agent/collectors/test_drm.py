"""The collector ``drm``."""

from collections.abc import Callable
from pathlib import Path

from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import drm

WriteFiles = Callable[[Path, dict[str, str]], Path]


def test_cards_of_others_have_zeros_and_connectors_nothing(
    this_machine: Sources, tmp_path: Path, write_files: WriteFiles
) -> None:
    sources = this_machine._replace(sysfs=tmp_path)
    assert drm.collect(sources) == []
    files = {
        "card0/device/uevent": "DRIVER=amdgpu\n",
        "card0/device/gpu_busy_percent": "30\n",
        "card0-DP-1/device/uevent": "DRIVER=amdgpu\n",
        "card1/device/uevent": "DRIVER=i915\n",
        "version": "drm 1.1.0\n",
    }
    write_files(tmp_path / "class/drm", files)
    numbers, info = drm.collect(sources)
    assert numbers.labels == {"card": ("card0", "card1")}
    assert numbers.columns["gpu_busy_percent"] == [30, 0]
    assert numbers.columns["memory_vram_used_bytes"] == [0, 0]
    assert info.labels["unique_id"] == ("", "")
    assert info.labels["vendor"] == ("amd", "amd")
