"""The dashboards as files: generated, valid by Grafana's schema, and complete."""

import enum
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, Dashboard

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "grafana" / "dashboards"
PROVISIONING = ROOT / "grafana" / "provisioning"
NAMES = ("exporter", "fleet", "host")

#: What the data source of Prometheus has of an annotation beyond the schema, which leaves it open.
OF_THE_DATA_SOURCE = {"step", "textFormat", "titleFormat", "useValueForTime"}
JSON = dict[str, Any]


def load(name: str) -> JSON:
    loaded: JSON = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def panels(dashboard: JSON) -> list[JSON]:
    """Return the panels that show something: no rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def texts(node: object) -> Iterator[str]:
    """Yield every text in it, at any depth."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def is_model(kind: Any) -> bool:
    """Return whether it is a structure of the SDK's, and no enumeration."""
    ours = isinstance(kind, type) and kind.__module__.startswith("grafana_foundation_sdk.models")
    return ours and not issubclass(kind, enum.Enum)


def faults(value: Any, kind: Any, path: str = "$") -> list[str]:
    """Return where a value departs from a type of Grafana's, as the SDK has it."""
    origin = get_origin(kind)
    # Options are of any type by the schema; which one they were read as tells the panel's.
    models = [candidate for candidate in (kind, type(value)) if is_model(candidate)]
    if models:
        return _faults_of_model(value, models[0], path)
    if origin is list:
        if not isinstance(value, list):
            return [f"{path}: {value!r} is no list"]
        items = (faults(item, get_args(kind)[0], f"{path}[{i}]") for i, item in enumerate(value))
        return list(itertools.chain(*items))
    if origin is dict:
        pairs = value.items() if isinstance(value, dict) else [("", kind)]
        return list(
            itertools.chain(*(faults(v, get_args(kind)[1], f"{path}.{k}") for k, v in pairs))
        )
    if origin is Union:
        tried = [faults(value, alternative, path) for alternative in get_args(kind)]
        return [] if [] in tried else min(tried, key=len)
    return [] if _is_plain(value, kind, origin) else [f"{path}: {value!r} is no {kind}"]


def _is_plain(value: Any, kind: Any, origin: Any) -> bool:
    if kind in (object, Any):
        return True
    if origin is Literal:
        return value in get_args(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return value in [member.value for member in kind]
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, NoneType if kind is None else kind)


def _faults_of_model(value: Any, kind: Any, path: str) -> list[str]:
    model = value
    unknown: set[str] = set()
    if isinstance(value, dict):
        model = kind.from_json(value)
        unknown = {key for key in value if value[key] is not None} - set(model.to_json())
        if kind is AnnotationQuery:
            unknown -= OF_THE_DATA_SOURCE
    if not isinstance(model, kind):
        return [f"{path}: {value!r} is no {kind.__name__}"]
    found = [f"{path}: {kind.__name__} knows no {key!r}" for key in sorted(unknown)]
    for name, hint in get_type_hints(kind).items():
        found += faults(getattr(model, name), hint, f"{path}.{name}")
    return found


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    register_default_plugins()


def test_the_committed_files_are_what_the_generator_makes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grafana.generate", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert made == committed, "run python -m grafana.generate"


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_the_types_of_grafanas_schema_and_nothing_unknown(name: str) -> None:
    assert faults(load(name), Dashboard) == []


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (lambda d: d.update(refresh=30), "$.refresh"),
        (lambda d: d.update(panles=[]), "panles"),
        (lambda d: d["panels"][1]["gridPos"].update(w="wide"), "grid_pos.w"),
        (lambda d: d["panels"][1]["options"].update(colorMode="loud"), "color_mode"),
        (lambda d: d["panels"][1]["targets"][0].update(format="chart"), "format_val"),
        (lambda d: d["templating"]["list"][1].update(type="guess"), "type_val"),
        (lambda d: d["links"][0].update(keepTime="yes"), "keep_time"),
    ],
)
def test_what_is_against_the_schema_is_found(spoil: Any, place: str) -> None:
    data = load("fleet")
    spoil(data)
    found = faults(data, Dashboard)
    assert found
    assert any(place in fault for fault in found), found


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_shows_in_which_unit_and_when_it_is_bad(name: str) -> None:
    titles = [panel["title"] for panel in panels(load(name))]
    for panel in panels(load(name)):
        title = panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert title
        assert titles.count(title) == 1, title
        assert panel["description"].endswith("."), title
        assert defaults["unit"], title
        assert defaults["thresholds"]["steps"][0]["value"] is None, title
        assert panel["datasource"]["uid"] == "${datasource}", title
        assert panel["targets"], title
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"], title
            assert target.get("format") == "table" or target["legendFormat"], title
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs), title
        if panel["type"] == "timeseries":
            assert panel["options"]["legend"]["showLegend"], title


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_described_and_every_one_used_is_there(name: str) -> None:
    dashboard = load(name)
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert {"datasource", "job", "instance"} <= set(variables)
    for variable in variables.values():
        assert variable["label"], variable
        assert variable["description"], variable
    used = {
        match[1]
        for text in texts(dashboard)
        for match in re.finditer(r"\$\{?([a-z]\w*)(?::\w+)?\}?", text)
    }
    assert used == set(variables)


@pytest.mark.parametrize("name", NAMES)
def test_every_series_is_of_the_hosts_or_exporters_that_the_viewer_chose(name: str) -> None:
    for panel in panels(load(name)):
        for target in panel["targets"]:
            families = re.findall(
                r"\b((?:pombo|host|node|container|process|scrape)_\w+|ALERTS\w*|up)\b(\{[^}]*\})?",
                re.sub(r"\bby \([^)]*\)", "", target["expr"]),
            ) or re.findall(r"(^)(\{[^}]*\})", target["expr"])  # of any name
            assert families, target
            for family, selector in families:
                chosen = ('job=~"$job",instance=~"$instance"', 'instance=~"$exporter"')
                assert any(each in selector for each in chosen), (panel["title"], family)


@pytest.mark.parametrize("name", NAMES)
def test_panels_fill_the_grid_without_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in load(name)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in load(name)["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_dashboards_lead_to_each_other() -> None:
    dashboards = {load(name)["uid"]: load(name) for name in NAMES}
    for uid, board in dashboards.items():
        linked = {match for text in texts(board) for match in re.findall(r"/d/([\w-]+)", text)}
        assert linked | {uid} == set(dashboards)


def test_a_host_in_a_table_or_a_ranking_opens_its_dashboard() -> None:
    for panel in panels(load("fleet")):
        expr = " ".join(target["expr"] for target in panel["targets"])
        by_host = panel["type"] == "table" and "ALERTS" not in expr
        if by_host or (panel["type"] == "timeseries" and "topk" in expr):
            assert any("var-instance=" in text for text in texts(panel)), panel["title"]


def test_what_is_provisioned_is_for_reading_only() -> None:
    source = (PROVISIONING / "datasources" / "prometheus.yml").read_text()
    assert "uid: pombo-prometheus" in source
    assert "editable: false" in source
    provider = (PROVISIONING / "dashboards" / "pombo.yml").read_text()
    assert "allowUiUpdates: false" in provider
    assert "disableDeletion: true" in provider
    assert all(load(name)["editable"] is False for name in NAMES)
