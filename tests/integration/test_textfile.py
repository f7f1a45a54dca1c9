"""Text files with metrics: the agent and a real node_exporter on the same directories."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.pages import Page
from support.processes import Exporter, Launcher, found
from support.same_input import of_agent, of_their_own, samples

#: Directories by what is odd in them: the text of each file by its name.
DIRECTORIES: dict[str, dict[str, str | bytes]] = {
    "types": {
        "1.prom": """# HELP a_total A counter.
# TYPE a_total counter
a_total{x="1"} 3
a_total{y="2"} 4.5e-3
# TYPE b gauge
b -17
c 1e+09
# TYPE d untyped
d{} 5
# HELP e Text of e.
e 6
f{x="",y="z"} 7
f 8
""",
    },
    "histograms": {
        "1.prom": """# HELP h A histogram.
# TYPE h histogram
h_bucket{a="1",le="0.10"} 1
h_bucket{a="1",le="1e6"} 2
h_bucket{le="+Inf",a="1"} 5
h_sum{a="1"} 12.25
h_count{a="1"} 5
h_bucket{le="5"} 7
h_count 9.75
# TYPE s summary
s{quantile="0.50",b="2"} 3
s{quantile="0.990",b="2"} 4
s_sum{b="2"} 100.5
s_count{b="2"} 11
s_count{c="3"} 12
# TYPE only_sum summary
only_sum_sum 7
# TYPE bare histogram
bare 3
bare_unlike_count 4
""",
    },
    "escapes": {
        "1.prom": 'x{a="\\\\ \\" \\n",b="é} ,=#"} 1\n'
        "# HELP x Back\\\\slash, line\\\\n, é.\n"
        '\t# TYPE \t y\tgauge\n y\t{ a = "b" , } \t 2\n# EOF\n#\n#TYPE z gauge\nz{a=""} 3\n',
    },
    "two files": {
        "1.prom": '# TYPE x gauge\nx{a="1"} 1\ny 1\n# HELP z Z.\n# TYPE z gauge\nz 1\n',
        "2.prom": '# TYPE x gauge\nx{a="1"} 2\nx{a="2"} 3\n'
        '# TYPE y gauge\ny{a="2"} 2\n# TYPE z gauge\nz{a="1"} 2\n',
        "3.prom": '# HELP z Other.\n# TYPE z gauge\nz{a="2"} 3\n',
        "4.prom": '# HELP z Z.\n# TYPE z gauge\nz{a="3"} 4\nz{a="3"} 5\n',
    },
    "faulty files": {
        "0.prom": "before 1\n",
        "end.prom": "a 1",
        "lines.prom": "a 1\r\n",
        "stamp.prom": "a 1 1700000000000\n",
        "blank.prom": "a 1 \n",
        "value.prom": "a 1_0\n",
        "label.prom": 'a{b="c"\n',
        "twice.prom": 'a{b="c",b="d"} 1\n',
        "bytes.prom": b'a{b="\xff"} 1\n',
        "type.prom": "# TYPE a blue\na 1\n",
        "late.prom": "a 1\n# TYPE a gauge\n",
        "help.prom": "# HELP a A.\n# HELP a A.\na 1\n",
        "help-escape.prom": "# HELP a \\t\na 1\n",
        "bom.prom": "\ufeffa 1\n",
        "other.txt": "a 1\n",
        "empty.prom": "",
        "comment.prom": "# nothing\n",
        "z.prom": "after 2\n",
    },
    "numbers": {
        "1.prom": "".join(
            f"n{number} {text}\n"
            for number, text in enumerate(
                ("+5", "-0", "00", ".5", "5.", "1E3", "1e-400", "5e-324", "1.7976931348623157e308")
            )
        ),
    },
    "labels of Prometheus": {"1.prom": 'x{le="1",quantile="2"} 3\n'},
    "nothing": {},
}


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
        os.utime(folder / name, (1_700_000_000 + len(name), 1_700_000_001.75 + len(name)))
    return folder


def heads(page: Page) -> dict[tuple[str, str], str]:
    found = re.findall(r"^# (HELP|TYPE) (\w+) (.*)$", page.text, re.MULTILINE)
    assert len({(kind, name) for kind, name, _ in found}) == len(found)
    return {(kind, name): text for kind, name, text in found}


@pytest.fixture(scope="module")
def exporter(start_once: Launcher) -> Exporter:
    return start_once.exporter()


def own_names(page: Page) -> set[str]:
    """Return the names of samples that come from text files, or are about them."""
    other = re.compile("(go|process|promhttp|python|pombo|host|node_scrape|node_exporter)_")
    return {name for name, _ in page.samples if not other.match(name)}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_families_and_values_are_those_of_node_exporter(
    name: str, start: Launcher, tmp_path: Path
) -> None:
    folder = write(tmp_path / "files", DIRECTORIES[name])
    flags = [
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={folder}",
    ]
    theirs = of_their_own(start, flags)
    ours = of_agent(start.exporter(), name, flags)
    names = own_names(theirs)
    assert "node_textfile_scrape_error" in names
    expected = samples(theirs, names)
    assert samples(ours, own_names(ours), instance=name) == expected
    shown = heads(ours)
    for key, text in heads(theirs).items():
        if any(sample.startswith(key[1]) for sample in names):
            assert shown[key] == text
    assert promtool(ours.text) == ""


@pytest.mark.parametrize("pattern", ["", "a", "a/../b/", "[ab]", "?", "missing", "a*"])
def test_patterns_match_the_directories_of_node_exporter(
    pattern: str, exporter: Exporter, start: Launcher, tmp_path: Path
) -> None:
    write(tmp_path / "a", {"1.prom": "in_a 1\n"})
    write(tmp_path / "b", {"1.prom": "in_b 2\n"})
    write(tmp_path / ".ab", {".1.prom": "in_c 3\n"})
    directory = f"{tmp_path}/{pattern}" if pattern else ""
    flags = [
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={directory}",
    ]
    theirs = of_their_own(start, flags)
    name = f"pattern {pattern}"
    ours = of_agent(exporter, name, flags)
    expected = samples(theirs, own_names(theirs))
    assert samples(ours, own_names(ours), instance=name) == expected


def promtool(text: str) -> str:
    """Return why promtool refuses a page, if it does; what it advises is no reason."""
    command = [found("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return "" if done.returncode in (0, 3) else done.stderr.decode()
