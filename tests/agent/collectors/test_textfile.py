"""The collector ``textfile``."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pombo_agent.collecting import text_files
from pombo_agent.collecting.flags import Flags
from pombo_agent.collecting.reading import PathLike, Skips, read_bytes
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import textfile
from pombo_wire.section import Section, check

Collect = Callable[..., dict[str, Section]]


@pytest.fixture
def skips() -> Skips:
    return Skips()


@pytest.fixture
def collect(this_machine: Sources, tmp_path: Path, skips: Skips) -> Collect:
    """Return a function that writes files, collects them and returns the sections by name."""
    kept = this_machine._replace(kept={}, skips=skips)

    def run(files: dict[str, str] | None = None, *directories: str) -> dict[str, Section]:
        for name, text in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        flags = Flags({"directory": [str(tmp_path / each) for each in directories or [""]]})
        found = textfile.collect(kept._replace(flags=flags))
        for section in found:
            check(section)
        assert len({section.name for section in found}) == len(found)
        return {section.name: section for section in found}

    return run


def error_of(sections: dict[str, Section]) -> float | None:
    [value] = sections["textfile"].cells
    return value


def test_without_a_directory_nothing_is_wrong(this_machine: Sources) -> None:
    for directories in ((), ("",)):
        sources = this_machine._replace(flags=Flags({"directory": directories}))
        assert textfile.collect(sources) == [Section("textfile", {}, ("scrape_error",), [0])]


def test_families_of_a_file_become_open_families(collect: Collect, tmp_path: Path) -> None:
    text = '# HELP a Text.\n# TYPE a gauge\na{x="1"} 2\na{y="3"} -4\nb 5\n'
    found = collect({"one.prom": text, "two.prom.1234": "not read", "three.txt": "neither"})
    path = tmp_path / "one.prom"
    os.utime(path, ns=(0, 1_700_000_017_999_999_999))
    found = collect()
    assert found.keys() == {"textfile", "textfiles", "a", "b"}
    assert found["textfiles"] == Section(
        "textfiles", {"file": (str(path),)}, ("mtime",), [1_700_000_017]
    )
    labels = {"x": ("1", ""), "y": ("", "3")}
    assert found["a"] == Section("a", labels, (), (2, -4), type="gauge", help="Text.")
    assert found["b"] == Section("b", {}, (), (5,), type="untyped", help=f"Metric read from {path}")
    assert error_of(found) == 0


def test_faulty_file_costs_itself_alone(collect: Collect, tmp_path: Path, skips: Skips) -> None:
    (tmp_path / "directory.prom").mkdir()
    (tmp_path / "link.prom").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo.prom")
    files = {
        "bad.prom": "a 1\nb{ 2\n",
        "good.prom": "c 3\n",
        "large.prom": f"#{' ' * text_files.MAX_FILE_BYTES}\n",
        "cut.prom": "d 4",
    }
    found = collect(files)
    assert found.keys() == {"textfile", "textfiles", "c"}
    assert found["textfiles"].labels == {"file": (str(tmp_path / "good.prom"),)}
    assert error_of(found) == 1
    assert skips.count == 6
    assert skips.examples["file"][0].startswith("bad.prom: line 2: invalid labels")


def test_directory_that_cannot_be_read_is_an_error(collect: Collect, skips: Skips) -> None:
    found = collect({"here/x.prom": "x 1\n"}, "nowhere", "here")
    assert error_of(found) == 1
    assert "x" in found
    assert skips.count == 1


def test_reading_that_fails_half_way_costs_the_file(this_machine: Sources, tmp_path: Path) -> None:
    (tmp_path / "x.prom").write_text("x 1\ny 2\n")

    def read(_: PathLike) -> tuple[bytes, bool]:
        return b"x 1\n", False

    sources = this_machine._replace(flags=Flags({"directory": [str(tmp_path)]}), read=read)
    assert [section.name for section in textfile.collect(sources)] == ["textfile"]


def test_file_is_parsed_again_only_when_it_has_changed(
    this_machine: Sources, tmp_path: Path
) -> None:
    read: list[str] = []

    def counted(path: PathLike) -> tuple[bytes, bool]:
        read.append(Path(path).name)
        return read_bytes(path)

    flags = Flags({"directory": [str(tmp_path)]})
    sources = this_machine._replace(flags=flags, read=counted, kept={})
    one, two = tmp_path / "1.prom", tmp_path / "2.prom"
    one.write_text("x 1\n")
    two.write_text("broken\n")
    first = textfile.collect(sources._replace(skips=Skips()))
    skips = Skips()
    assert textfile.collect(sources._replace(skips=skips)) == first
    assert skips.count == 1, "a faulty file is counted in each run"
    assert read == ["1.prom", "2.prom"]
    two.write_text("y 2\n")
    found = {section.name for section in textfile.collect(sources)}
    assert found == {"textfile", "textfiles", "x", "y"}
    one.unlink()
    found = {section.name for section in textfile.collect(sources)}
    assert found == {"textfile", "textfiles", "y"}
    assert read == ["1.prom", "2.prom", "2.prom"]


def test_family_in_two_files_has_the_series_of_both(
    collect: Collect, tmp_path: Path, skips: Skips
) -> None:
    files = {
        "1.prom": '# TYPE x gauge\nx{a="1"} 1\n# HELP y Text.\ny 1\n',
        "2.prom": '# TYPE x gauge\nx{a="1"} 2\nx{b="2"} 3\n# HELP y Other.\ny{a="1"} 1\n',
        "3.prom": 'x{a="3"} 3\n',
    }
    found = collect(files)
    names = ", ".join(str(tmp_path / name) for name in ("1.prom", "2.prom", "3.prom"))
    assert found["x"].help == f"Metric read from {names}"[:255]
    assert found["x"].labels == {"a": ("1", ""), "b": ("", "2")}
    assert found["x"].cells == (1, 3)
    assert found["y"].cells == (1,)
    assert skips.count == 3
    assert error_of(found) == 0


def test_labels_of_prometheus_are_renamed(collect: Collect) -> None:
    text = 'x{instance="a",exported_instance="b",job="c"} 1\nx{instance="",q="1"} 2\n'
    assert collect({"x.prom": text})["x"].labels == {
        "exported_instance": ("b", ""),
        "exported_exported_instance": ("a", ""),
        "exported_job": ("c", ""),
        "q": ("", "1"),
    }


@pytest.mark.parametrize(
    "name", ["up", "host_x", "pombo_x", "process_x", "cpu", "node_load1", "a:b", "x" * 201]
)
def test_family_whose_name_is_taken_is_left_out(collect: Collect, skips: Skips, name: str) -> None:
    assert collect({"x.prom": f"{name} 1\nfine 2\n"}).keys() == {"textfile", "textfiles", "fine"}
    assert skips.count == 1


@pytest.mark.parametrize("label", ["_a", "a" * 65])
def test_family_with_an_invalid_label_is_left_out(
    collect: Collect, skips: Skips, label: str
) -> None:
    found = collect({"x.prom": f'x{{{label}="1"}} 1\nx 2\nfine 2\n'})
    assert found.keys() == {"textfile", "textfiles", "fine"}
    assert skips.count == 1


def test_too_many_labels_in_all_files_cost_the_last_file(collect: Collect, skips: Skips) -> None:
    def text(first: int) -> str:
        labels = ",".join(f'l{number}="1"' for number in range(first, first + 9))
        return f"# HELP x X.\nx{{{labels}}} 1\n"

    assert len(collect({"1.prom": text(0), "2.prom": text(9)})["x"].labels) == 9
    assert skips.count == 1


def test_values_that_cannot_be_sent_are_absent(collect: Collect, skips: Skips) -> None:
    text = """# TYPE c counter
c{x="1"} -1
c{x="2"} 2
g{x="1"} NaN
g{x="2"} +Inf
g{x="3"} -3
nothing NaN
"""
    found = collect({"x.prom": text})
    assert found["c"].labels == {"x": ("2",)}
    assert found["g"].labels == {"x": ("3",)}
    assert "nothing" not in found
    assert skips.count == 2


def test_histogram_and_summary_are_sent_as_their_parts(collect: Collect) -> None:
    text = """# HELP h Text.
# TYPE h histogram
h_bucket{le="1.0",job="a"} 2
h_sum{job="a"} 3.5
h_count{job="a"} 4
# TYPE s summary
s{quantile="0.5"} 1
s_count 2
"""
    found = collect({"x.prom": text})
    job = {"exported_job": ("a",)}
    two = {"exported_job": ("a", "a"), "le": ("1", "+Inf")}
    labels = found["h_bucket"].labels
    assert {name: labels[name] for name in two} == two
    assert (found["h_bucket"].cells, found["h_bucket"].type) == ((2, 4), "histogram")
    for name, value in (("h_sum", 3.5), ("h_count", 4)):
        assert found[name] == Section(name, job, (), (value,), type="histogram", help="Text.")
    assert {name: found[name].cells for name in ("s", "s_sum", "s_count")} == {
        "s": (1,),
        "s_sum": (0,),
        "s_count": (2,),
    }


def test_family_with_samples_of_another_is_left_out(collect: Collect, skips: Skips) -> None:
    files = {
        "1.prom": "x_count 1\n",
        "2.prom": "# TYPE x summary\nx_sum 2\nx_count 3\n",
    }
    found = collect(files)
    assert found.keys() == {"textfile", "textfiles", "x_count"}
    assert skips.count == 1


def test_files_families_and_samples_are_bounded(
    collect: Collect, skips: Skips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "MAX_FILES", 3)
    monkeypatch.setattr(text_files, "MAX_FAMILIES", 2)
    monkeypatch.setattr(text_files, "MAX_SAMPLES", 4)
    files = {
        "1.prom": 'a{x="1"} 1\na{x="2"} 2\n',
        "2.prom": "b 3\nc 4\n",
        "3.prom": "# HELP a A.\n" + "".join(f'a{{x="{n}"}} 5\n' for n in range(3, 6)),
        "4.prom": "a 6\n",
    }
    found = collect(files)
    assert error_of(found) == 1
    assert found.keys() == {"textfile", "textfiles", "a", "b"}
    assert "more than 3 files" in skips.examples["file"][0]


def test_texts_that_are_too_long_are_cut_and_counted(collect: Collect, skips: Skips) -> None:
    found = collect({"x.prom": f'# HELP x {"h" * 300}\nx{{a="{"é" * 300}"}} 1\n'})
    assert found["x"].labels == {"a": ("é" * 255,)}
    assert found["x"].help == "h" * 255
    assert skips.count == 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a1", ["a1"]),
        ("nowhere", ["nowhere"]),
        ("a*", ["a1", "a2"]),
        ("?1", ["a1", "b1"]),
        ("*", [".c", "a1", "a2", "b1", "d[1]"]),
        ("[^a]?", [".c", "b1"]),
        ("[a-b]1", ["a1", "b1"]),
        ("d\\[1]", ["d[1]"]),
        ("*/*", ["a1/e", "b1/e"]),
        ("./a*/../b1", ["./a*/../b1"]),
        ("x*", ["x*"]),
        ("[a", ["[a"]),
        ("[z-a]", ["[z-a]"]),
        ("a\\", ["a\\"]),
    ],
)
def test_pattern_matches_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: list[str]
) -> None:
    for name in ("a1/e", "a2", "b1/e", ".c", "d[1]"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert text_files.expand(pattern) == expected
    if not pattern.startswith("."):
        whole = text_files.expand(f"{tmp_path}/{pattern}")
        assert whole == [f"{tmp_path}/{each}" for each in expected]


def test_files_of_several_directories_are_read_in_their_order(
    collect: Collect, tmp_path: Path
) -> None:
    files = {"a/2.prom": "x 1\n", "a/10.prom": "x 2\n", "b//1.prom": "x 3\n"}
    found = collect(files, "b/", "a", "./b/../b", "[ab]")
    paths = [str(tmp_path / name) for name in ("b/1.prom", "a/10.prom", "a/2.prom")]
    assert found["textfiles"].labels["file"] == tuple(paths)
    assert found["x"].cells == (3,)
