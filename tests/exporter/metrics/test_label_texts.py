"""Label texts of rows, made one by one and many at once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_exporter.hosts.labels import label_text
from pombo_exporter.hosts.layouts import Layouts, Section
from pombo_exporter.metrics.label_texts import label_texts
from support.builders import TABLE

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ['"', "\\", "\n", "],", ",", '","', "]}", '"],"b":["', "\0", "\u2028", "%s", "%"]
)
COMPACT: dict[str, Any] = {"separators": (",", ":")}
HOSTS = [label_text(("instance", name)) for name in ("pi", "a,b", "%d", 'x"\\\n')]


def section(labels: dict[str, list[str]], users: int, space: str = "") -> Section:
    """Return a stored section of open families that so many slots use."""
    texts = json.dumps({"labels": labels, "values": ["a", "b"]}, ensure_ascii=False, **COMPACT)
    # White space where JSON allows it, unless a text has the same characters.
    for mark in ("[", "]", ":", ","):
        texts = texts.replace(f'"{mark}', f'"{space}{mark}').replace(f'{mark}"', f'{mark}{space}"')
    raw = f'"x_*":{{"type":"gauge",{texts[1:]}'.encode()
    layouts = Layouts(TABLE.catalog())
    found = layouts.find(raw)
    for _ in range(users):
        layouts.use([found])
    return found


@st.composite
def sections(draw: st.DrawFn) -> Section:
    names = draw(st.lists(st.sampled_from("abc"), max_size=3, unique=True))
    rows = draw(st.lists(st.tuples(*[TEXTS] * len(names)), min_size=1, max_size=3, unique=True))
    labels = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return section(labels, draw(st.integers(1, 3)), draw(st.sampled_from(["", "", " "])))


@given(st.lists(st.tuples(sections(), st.sampled_from(HOSTS)), max_size=6))
def test_texts_of_many_sections_are_those_of_each_row(pairs: list[tuple[Section, bytes]]) -> None:
    expected = []
    for each, host in pairs:
        for row in zip(*each.texts(), strict=True) if each.labels else [()]:
            text = label_text(*zip(each.labels, row, strict=True)).removesuffix(b"} ")
            expected.append((text + b"," if text else b"") + host)
    found = label_texts([each for each, _ in pairs], [host for _, host in pairs])
    assert found == expected


@pytest.mark.parametrize("users", [1, 2])
def test_texts_are_kept_only_where_several_hosts_have_them(users: int) -> None:
    found = section({"device": ["sda", "sdb"]}, users)
    label_texts([found], [HOSTS[0]])
    assert (found.label_texts is None) is (users == 1)
