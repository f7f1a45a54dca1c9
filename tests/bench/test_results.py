"""The published table is what the benchmark writes of the figures that it keeps."""

import re
import shutil
from pathlib import Path

from bench.__main__ import PUBLISHED, SECTIONS
from bench.report.results import Results, Row

REPORT = Path(__file__).parents[2] / "bench" / "report"


def rows(figure: str) -> list[Row]:
    """Return rows with points on two curves."""
    return [
        Row(f"{hosts} hosts", figure, "the reference", hosts, {"cpu": hosts / 9, "lost": 0.0})
        for hosts in (10, 100)
    ]


def test_published_files_are_written_from_the_json(tmp_path: Path) -> None:
    shutil.copyfile(REPORT / "results.json", tmp_path / "results.json")
    Results(tmp_path).write(SECTIONS, PUBLISHED)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written.keys() >= {"results.json", "results.md"}
    published = {path.name for path in REPORT.iterdir() if path.suffix in _WRITTEN}
    assert written.keys() == published - _OF_OTHERS
    assert written == {name: (REPORT / name).read_text() for name in written}


_WRITTEN = {".json", ".md", ".svg"}
_OF_OTHERS = {"collectors.json"}  # which docs/metrics.md shows


def test_every_case_has_rows_or_is_named_as_not_measured() -> None:
    table = (REPORT / "results.md").read_text()
    titles = {title.lower() for title in re.findall(r"^## (.*)$", table, re.MULTILINE)}
    [missing] = re.findall(r"^Not measured yet: (.*)\.$", table, re.MULTILINE) or [""]
    named = {*missing.lower().split("; ")} - {""}
    assert titles - {"cost against hosts"} | named == {
        name.replace("_", " ").lower() for name in PUBLISHED
    }
    assert not titles & named


def test_new_rows_of_a_case_leave_the_others_alone(tmp_path: Path) -> None:
    for name in ("ingest", "agent"):
        results = Results(tmp_path)
        results.put(name, f"python -m bench {name}", rows("1 ms"))
        results.write(SECTIONS, PUBLISHED)
    before = (tmp_path / "results.md").read_text().split("\n## ")
    results = Results(tmp_path)
    results.put("agent", "python -m bench agent", [Row("CPU per report", "2 ms", "twice 1 ms")])
    results.write(SECTIONS, PUBLISHED)
    after = (tmp_path / "results.md").read_text().split("\n## ")
    changed = [new for old, new in zip(before, after, strict=True) if new != old]
    assert len(changed) == 1
    assert changed[0].startswith("Agent\n")
    assert "| CPU per report | 2 ms | twice 1 ms | `python -m bench agent` |" in changed[0]


def test_curves_are_drawn_of_rows_with_points(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.put("under_load", "python -m bench under_load", rows("1 ms"))
    results.write(SECTIONS)
    assert {path.name for path in tmp_path.glob("*.svg")} == {"cpu.svg", "lost.svg"}
    assert (
        "![Exporter's CPU, reports every 5 s and scrapes](cpu.svg)"
        in (tmp_path / "results.md").read_text()
    )
