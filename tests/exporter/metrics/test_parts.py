"""Histograms and summaries that hosts send in parts: one family in the text format."""

import re
from typing import Any, Literal

import pytest
from pombo_exporter.metrics.family import MetricType
from pombo_exporter.metrics.parts import whole_of
from pombo_wire import OpenFamily
from prometheus_client.parser import text_string_to_metric_families
from support.builders import Agent, Exporter

Kind = Literal["gauge", "counter", "untyped", "histogram", "summary"]


def histogram(name: str, *counts: float) -> dict[str, OpenFamily]:
    bounds = (*map(str, range(1, len(counts))), "+Inf")
    kind: Kind = "histogram"
    return {
        f"{name}_bucket": OpenFamily(kind, "Text.", {"le": bounds}, values=counts),
        f"{name}_sum": OpenFamily(kind, "Text.", values=(1.5,)),
        f"{name}_count": OpenFamily(kind, "Text.", values=(counts[-1],)),
    }


def summary(name: str) -> dict[str, OpenFamily]:
    kind: Kind = "summary"
    return {
        name: OpenFamily(kind, "Text.", {"quantile": ("0.5", "0.9")}, values=(1, 2)),
        f"{name}_sum": OpenFamily(kind, "Text.", values=(3,)),
        f"{name}_count": OpenFamily(kind, "Text.", values=(4,)),
    }


def of_families(exporter: Exporter, *, openmetrics: bool = False) -> dict[str, str]:
    """Return the type of each family that hosts named."""
    exposition = exporter.exposition(openmetrics=openmetrics)
    found = re.findall(r"^# TYPE (\w+) (\w+)$", exposition, re.MULTILINE)
    assert len({name for name, _ in found}) == len(found)
    return {name: kind for name, kind in found if not name.startswith(("pombo_", "host_"))}


def exporter_with(*of_hosts: dict[str, OpenFamily]) -> Exporter:
    exporter = Exporter()
    for number, families in enumerate(of_hosts):
        Agent(exporter, host=f"host {number}").send(families=families)
    return exporter


def test_parts_are_one_family_in_the_text_format() -> None:
    more = {"x_a": OpenFamily("gauge", values=(7,)), "x_created": OpenFamily("gauge", values=(8,))}
    exporter = exporter_with({**histogram("x", 1, 2), **more, **summary("y")}, histogram("x", 3))
    assert of_families(exporter) == {
        "x": "histogram",
        "x_a": "gauge",
        "x_created": "gauge",
        "y": "summary",
    }
    families = {
        family.name: family for family in text_string_to_metric_families(exporter.exposition())
    }
    assert {(s.name, s.labels["instance"]): s.value for s in families["x"].samples} == {
        ("x_bucket", "host 0"): 2,
        ("x_sum", "host 0"): 1.5,
        ("x_count", "host 0"): 2,
        ("x_bucket", "host 1"): 3,
        ("x_sum", "host 1"): 1.5,
        ("x_count", "host 1"): 3,
    }
    assert families["x"].documentation == "Text."
    assert {sample.name for sample in families["y"].samples} == {"y", "y_sum", "y_count"}
    assert exporter.samples_by_host()  # both formats are valid, and have the same


def test_parts_are_families_of_unknown_type_in_openmetrics() -> None:
    exporter = exporter_with({**histogram("x", 1), **summary("y")})
    assert of_families(exporter, openmetrics=True) == dict.fromkeys(
        ("x_bucket", "x_sum", "x_count", "y", "y_sum", "y_count"), "unknown"
    )


GAUGE = OpenFamily("gauge", values=(1,))

MIXED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (histogram("x", 1), {"x": GAUGE}),
    (histogram("x", 1), {"x_sum": GAUGE}),
    (histogram("x", 1), {"x_count": GAUGE}),
    (histogram("x", 1), {"x_bucket": GAUGE}),
    (histogram("x", 1), summary("x")),
    (histogram("x", 1), histogram("x_sum", 1)),
    (histogram("x_sum", 1), histogram("x", 1)),
    (histogram("x", 1), summary("x_count")),
    (summary("x"), summary("x_sum")),
    (summary("x"), {"x": GAUGE}),
    (summary("x"), {"x_count": GAUGE}),
    (summary("x"), histogram("x_sum", 1)),
]


@pytest.mark.parametrize(("one", "other"), MIXED)
def test_parts_are_untyped_where_another_family_has_one_of_the_names(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    exporter = exporter_with(one, other)
    found = of_families(exporter)
    assert {"histogram", "summary"}.isdisjoint(found.values())
    assert found.keys() == {*one, *other}
    assert exporter.samples_by_host()  # both formats are valid, and have the same


def test_parts_are_untyped_where_the_exporter_has_a_family_of_their_name() -> None:
    exporter = exporter_with(histogram("node_load1", 1))
    assert of_families(exporter)["node_load1_sum"] == "untyped"


def test_other_families_may_have_similar_names() -> None:
    more = {"x_bucket": GAUGE, "x_sum_total": GAUGE}
    found = of_families(exporter_with({**summary("x"), **more, **histogram("z", 1)}))
    assert found == {"x": "summary", "x_bucket": "gauge", "x_sum_total": "gauge", "z": "histogram"}


def test_help_texts_of_parts_may_differ() -> None:
    families = histogram("x", 1)
    families["x_count"] = OpenFamily("histogram", "Other.", values=(1,))
    assert of_families(exporter_with(families)) == {"x": "histogram"}


@pytest.mark.parametrize(
    ("name", "kind", "whole"),
    [
        ("x_bucket", MetricType.HISTOGRAM, "x"),
        ("x_count", "summary", "x"),
        ("x_bucket", "summary", "x_bucket"),
        ("_sum", "summary", "_sum"),
        ("x_sum_sum", "histogram", "x_sum"),
        ("x_sum", "gauge", "x_sum"),
    ],
)
def test_whole_of_a_part(name: str, kind: str, whole: str) -> None:
    assert whole_of(name, kind) == whole
