"""The parser of the text format, compared with prometheus_client's and stated line by line."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pombo_agent.collecting.text_format import Family, FormatError, format_float, parse, parse_float
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, tuple[tuple[str, str], ...], float | None]

MOST = 1000


def parsed(text: str | bytes) -> list[Family]:
    return parse(text if isinstance(text, bytes) else text.encode(), MOST)


def samples(text: str | bytes) -> list[Sample]:
    """Return the samples of a text, with whole names."""
    return [
        (family.name + part, labels, value)
        for family in parsed(text)
        for part, labels, value in family.samples
    ]


def error_in(text: str | bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parsed(text)
    return str(caught.value)


def test_labels_types_and_help_texts_in_any_order() -> None:
    text = """
# A comment, and an empty line.
#
# TYPE a_total counter
a_total{x="1",y="two words"} 3
a_total { x = "2" , } 4.5
\t# HELP b Text with \\\\ and \\n.
b 1e3
# EOF
a_total 7
# HELP a_total Late.
"""
    one, two = parsed(text)
    assert (one.name, one.type, one.help) == ("a_total", "counter", "Late.")
    assert one.samples == [
        ("", (("x", "1"), ("y", "two words")), 3),
        ("", (("x", "2"),), 4.5),
        ("", (), 7),
    ]
    assert (two.name, two.type, two.help) == ("b", "untyped", "Text with \\ and \n.")
    assert two.samples == [("", (), 1000)]


def test_escapes_and_characters_of_label_values() -> None:
    text = r'x{a="\"\\\n",b="} , =#é",c=""} 1' + "\n"
    assert samples(text) == [("x", (("a", '"\\\n'), ("b", "} , =#é"), ("c", "")), 1)]


def test_family_without_samples_is_none() -> None:
    assert parsed("# HELP x Text.\n# TYPE x gauge\n") == []
    assert parsed("") == parsed("\n \t\n  ") == []


def test_histogram_has_ordered_buckets_and_always_the_one_for_infinity() -> None:
    text = """# TYPE h histogram
h_bucket{le="+Inf",a="1"} 9
h_bucket{a="1",le="1000000"} 4
h_bucket{le="0.50",a="1"} 3
h_sum{a="1"} -2.5
h_count{a="1"} 9
h_count{a="2"} 5.9
h_other 1
"""
    a1, a2 = ("a", "1"), ("a", "2")
    assert samples(text) == [
        ("h_bucket", (a1, ("le", "0.5")), 3),
        ("h_bucket", (a1, ("le", "1e+06")), 4),
        ("h_bucket", (a1, ("le", "+Inf")), 9),
        ("h_sum", (a1,), -2.5),
        ("h_count", (a1,), 9),
        ("h_bucket", (a2, ("le", "+Inf")), 5),
        ("h_sum", (a2,), 0),
        ("h_count", (a2,), 5),
        ("h_other", (), 1),
    ]


def test_summary_has_ordered_quantiles() -> None:
    text = """# TYPE s summary
s{quantile="0.99"} NaN
s{quantile="5e-1"} 2
s_count -1
s_bucket{le="1"} 3
"""
    found = samples(text)
    assert found[0] == ("s", (("quantile", "0.5"),), 2)
    assert found[1][:2] == ("s", (("quantile", "0.99"),))
    assert math.isnan(found[1][2] or 0)
    assert found[2:] == [("s_sum", (), 0), ("s_count", (), None), ("s_bucket", (("le", "1"),), 3)]


def test_names_of_samples_are_those_of_families_before_the_type_is_heard() -> None:
    text = 'h_count 3\n# TYPE h histogram\nh_sum 4\nh_bucket{le="1"} 2\n'
    assert [name for name, _, _ in samples(text)] == [
        "h_count",
        *("h_bucket", "h_bucket", "h_sum", "h_count"),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x 1", "line feed"),
        ("x 1\n# comment", "line feed"),
        ("x 1\r\n", "number"),
        ("# TYPE x gauge\r\n", "unknown metric type"),
        ("x 1 \n", "timestamps"),
        ("x 1 1700000000000\n", "timestamps"),
        ("x\n", "number"),
        ("x 1_0\n", "number"),
        ("x 0x10\n", "number"),
        ("x 1e999\n", "number"),
        ("x +nan\n", "number"),
        ("x \u0661\n", "number"),
        ("1x 1\n", "metric name"),
        ("{} 1\n", "metric name"),
        ("\ufeffx 1\n", "metric name"),
        ('x{a="1" b="2"} 1\n', "labels"),
        ('x{a="1",,} 1\n', "labels"),
        ("x{a=1} 1\n", "labels"),
        ('x{a="1} 1\n', "labels"),
        ('x{a="\\t"} 1\n', "labels"),
        ('x{a:b="1"} 1\n', "labels"),
        ('x{a="1",a="2"} 1\n', "twice"),
        ('x{__name__="y"} 1\n', "reserved"),
        (b'x{a="\xff"} 1\n', "UTF-8"),
        ("# TYPE x blue\n", "unknown metric type"),
        ("# TYPE x gauge \n", "unknown metric type"),
        ("# TYPE x gauge\n# TYPE x gauge\n", "second TYPE"),
        ("x 1\n# TYPE x gauge\n", "second TYPE"),
        ("# HELP x One.\n# HELP x Two.\n", "second HELP"),
        ("# HELP x \\t\n", "escape"),
        ("# HELP x \\\n", "escape"),
        ("# TYPE x-y gauge\n", "name in comment"),
        ('# TYPE h histogram\nh_bucket{le="many"} 1\n', "number"),
    ],
)
def test_anything_else_is_an_error_with_its_line(text: str | bytes, error: str) -> None:
    assert error in error_in(text)
    lines = text.removesuffix("\n" if isinstance(text, str) else b"\n")  # type: ignore[arg-type]
    assert error_in(text).startswith(f"line {len(lines.splitlines())}: ")


def test_too_many_samples_are_an_error() -> None:
    assert len(samples("".join(f"x{n} 1\n" for n in range(MOST)))) == MOST
    assert "more than" in error_in("".join(f"x{n} 1\n" for n in range(MOST + 1)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (100000.0, "100000"),
        (999999.5, "999999.5"),
        (1e6, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (-2.5e-7, "-2.5e-07"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_numbers_in_labels_are_written_as_by_go(value: float, text: str) -> None:
    assert format_float(value) == text


@given(st.floats(allow_nan=False))
def test_a_number_in_a_label_is_the_same_when_parsed(value: float) -> None:
    assert parse_float(format_float(value).encode()) == value


# ---- compared with prometheus_client -------------------------------------------------------------

NAMES = st.from_regex(r"\Am_[a-z]{1,6}\Z").filter(
    lambda name: not name.endswith(("_sum", "_count"))
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
LABELS = st.dictionaries(st.from_regex(r"\A[a-k][a-z_]{0,4}\Z"), TEXTS, max_size=3)
VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20)


def escaped(text: str, *, quotes: bool) -> str:
    found = text.replace("\\", "\\\\").replace("\n", "\\n")
    return found.replace('"', '\\"') if quotes else found


@st.composite
def expositions(draw: st.DrawFn) -> str:
    """Return a text of families with a type, a HELP text or neither."""
    blank = st.sampled_from([" ", "\t", "  "])
    lines = []
    for stem in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind = draw(st.sampled_from(["", "gauge", "counter", "untyped"]))
        name = f"{stem}_total" if kind == "counter" else stem  # prometheus_client appends it
        if kind:
            lines.append(f"#{draw(blank)}TYPE {name}{draw(blank)}{kind}")
        if draw(st.booleans()):
            text = escaped(draw(TEXTS), quotes=False)
            lines.insert(draw(st.integers(0, len(lines))), f"# HELP {name} x{text}")
        for _ in range(draw(st.integers(1, 3))):
            pairs = draw(LABELS).items()
            labels = ",".join(f'{key}="{escaped(text, quotes=True)}"' for key, text in pairs)
            value = draw(VALUES)
            lines.append(f"{name}{{{labels}}} {value!r}" if labels else f"{name} {value!r}")
        lines.append(draw(st.sampled_from(["", "# other", "#"])))
    return "".join(f"{line}\n" for line in lines)


def of_client(text: str) -> Iterator[tuple[str, frozenset[tuple[str, str]], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, frozenset(sample.labels.items()), sample.value


@given(expositions())
def test_samples_are_those_of_prometheus_client(text: str) -> None:
    if any(character in text for character in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"):
        return  # prometheus_client strips more than blanks
    found = [(name, frozenset(labels), value) for name, labels, value in samples(text)]
    expected = [(name, labels, float(value)) for name, labels, value in of_client(text)]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


@given(st.binary(max_size=80))
def test_any_bytes_are_parsed_or_an_error(data: bytes) -> None:
    try:
        families = parsed(data)
    except FormatError:
        pass
    else:
        assert all(family.samples and family.type for family in families)
