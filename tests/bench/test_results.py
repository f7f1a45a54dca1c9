"""The published table is what the benchmark writes of the figures that it keeps."""

import re
import shutil
from pathlib import Path

from bench.__main__ import CASES, SECTIONS
from bench.report.results import Results, Row

REPORT = Path(__file__).parents[2] / "bench" / "report"


def test_published_files_are_written_from_the_json(tmp_path: Path) -> None:
    shutil.copyfile(REPORT / "results.json", tmp_path / "results.json")
    Results(tmp_path).write(SECTIONS)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written.keys() > {"results.json", "results.md", "cpu.svg"}
    assert written == {name: (REPORT / name).read_text() for name in written}


def test_every_case_is_published() -> None:
    table = (REPORT / "results.md").read_text()
    for name in CASES:
        assert re.search(rf"`python -m bench (--full )?{name}`", table), name


def test_new_rows_of_a_case_leave_the_others_alone(tmp_path: Path) -> None:
    shutil.copyfile(REPORT / "results.json", tmp_path / "results.json")
    results = Results(tmp_path)
    results.put("agent", "python -m bench agent", [Row("CPU per report", "1 ms", "twice 0.5 ms")])
    results.write(SECTIONS)
    before = (REPORT / "results.md").read_text().split("\n## ")
    after = (tmp_path / "results.md").read_text().split("\n## ")
    changed = [new for old, new in zip(before, after, strict=True) if new != old]
    assert len(changed) == 1
    assert changed[0].startswith("Agent\n")
    assert "| CPU per report | 1 ms | twice 0.5 ms | `python -m bench agent` |" in changed[0]
