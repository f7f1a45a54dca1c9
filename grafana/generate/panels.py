"""Graphs, numbers and tables, each with unit, thresholds, legend and description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    TableSortByFieldState,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.generate.variables import SOURCE

HOST_LINK: Final = (
    "/d/pombo-host?${datasource:queryparam}&${job:queryparam}&var-instance=%s&${__url_time_range}"
)

#: The numbers that ``queries.STATE`` gives to the states.
STATES: Final[list[ValueMapping]] = [
    ValueMap(
        options={
            "0": ValueMappingResult(text="live", color="green", index=0),
            "1": ValueMappingResult(text="late", color="orange", index=1),
            "2": ValueMappingResult(text="down", color="red", index=2),
        }
    )
]

#: The heading of addresses of exporters, which are no hosts to open.
EXPORTER: Final = "Exporter"

#: The step of rates over counters. Grafana makes the window of a rate four steps long, which
#: covers two reports of an agent with an interval of up to 30 s.
COUNTER_STEP: Final = "15s"

#: Points of a subquery over the whole time range: enough for a mean or a trend, and cheap
#: for a thousand hosts over a month.
_TREND_POINTS: Final = 100


def limits(orange: float | None = None, red: float | None = None) -> ThresholdsConfig:
    """Return thresholds of a value that is good when small. Without limits, all is green."""
    steps = [Threshold(value=None, color="green")]
    if orange is not None:
        steps.append(Threshold(value=orange, color="orange"))
    if red is not None:
        steps.append(Threshold(value=red, color="red"))
    return _absolute(steps)


def floors(orange: float, red: float) -> ThresholdsConfig:
    """Return thresholds of a value that is good when large."""
    return _absolute(
        [
            Threshold(value=None, color="red"),
            Threshold(value=red, color="orange"),
            Threshold(value=orange, color="green"),
        ]
    )


def band(edge: float) -> ThresholdsConfig:
    """Return thresholds of a value that is good when near zero."""
    return _absolute(
        [
            Threshold(value=None, color="red"),
            Threshold(value=-edge, color="green"),
            Threshold(value=edge, color="red"),
        ]
    )


def _absolute(steps: list[Threshold]) -> ThresholdsConfig:
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


@dataclass(frozen=True)
class Query:
    """An expression and the legend of its series."""

    expr: str
    legend: str
    step: str | None = None


def counted(expr: str, legend: str) -> Query:
    """Return a query over the rates of counters."""
    return Query(expr, legend, COUNTER_STEP)


def top(expr: str, rank: str | None = None) -> str:
    """Return the ``$top`` series with the highest mean over the whole time range.

    A plain ``topk`` would choose again at each step and show many more. ``rank`` is what to choose
    by instead of the mean of ``expr``, with the same labels.
    """
    return f"({expr}) and topk($top, {rank or mean(expr)})"


def mean(expr: str) -> str:
    """Return the mean of a gauge over the whole time range, at its end."""
    return f"avg_over_time(({expr})[$__range:$__interval] @ end())"


@dataclass(frozen=True)
class GraphStyle:
    """How a graph is drawn."""

    stacked: bool = False
    thresholds: ThresholdsConfig | None = None
    low: float | None = 0
    high: float | None = None
    width: int = 12
    links_to_host: bool = False


def graph(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    style: GraphStyle | None = None,
) -> timeseries.Panel:
    """Return a graph over time."""
    style = style or GraphStyle()
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(style.thresholds or limits())
        .height(8)
        .span(style.width)
        .line_width(1)
        .fill_opacity(30 if style.stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for place, query in enumerate(queries):
        panel.with_target(_over_time(query, _refs(place)))
    if style.thresholds:
        dashed = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(dashed)
    if style.stacked:
        panel.stacking(StackingConfig().mode(StackingMode.NORMAL))
    if style.low is not None:
        panel.min(style.low)
    if style.high is not None:
        panel.max(style.high)
    if style.links_to_host:
        url = HOST_LINK % "${__field.labels.instance}"
        panel.data_links([DashboardLink("Open the host").url(url)])
    return panel


@dataclass(frozen=True)
class NumberStyle:
    """How a number is shown."""

    thresholds: ThresholdsConfig | None = None
    mappings: Sequence[ValueMapping] = ()
    no_value: str = "0"
    text: BigValueTextMode = BigValueTextMode.AUTO
    width: int = 4


def number(
    title: str, description: str, unit: str, query: Query, style: NumberStyle | None = None
) -> stat.Panel:
    """Return a panel of one current number."""
    style = style or NumberStyle()
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(style.thresholds or limits())
        .mappings(list(style.mappings))
        .no_value(style.no_value)
        .height(4)
        .span(style.width)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(style.text)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .max_data_points(_TREND_POINTS)
    )
    return panel.with_target(_now(query, "A"))


@dataclass(frozen=True)
class Column:
    """A column of values. A table is sorted by its first column, the greatest value first."""

    title: str
    expr: str
    unit: str
    thresholds: ThresholdsConfig | None = None
    mappings: Sequence[ValueMapping] = ()
    smallest_first: bool = False


def values(
    title: str,
    description: str,
    labels: Mapping[str, str],
    columns: Sequence[Column],
    width: int = 12,
) -> table.Panel:
    """Return a table with a row for each combination of ``labels`` (label to heading)."""
    panel = _table(title, description, width).max_data_points(_TREND_POINTS)
    names = dict(labels)
    by = ", ".join(labels)
    for place, column in enumerate(columns):
        ref = _refs(place)
        names["Value" if len(columns) == 1 else f"Value #{ref}"] = column.title
        panel.with_target(_rows(f"max by ({by}) ({column.expr})", ref))
        panel.override_by_name(column.title, _overrides(column))
    if labels.get("instance") not in {None, EXPORTER}:
        panel.override_by_name(labels["instance"], [_link_to_host()])
    order = {name: place for place, name in enumerate(names)}
    return panel.transformations(
        [
            DataTransformerConfig(id_val="merge", options={}),
            _organize(hidden=["Time"], names=names, order=order),
        ]
    ).sort_by([_sorted_by(columns[0])])


def labels_of(
    title: str, description: str, expr: str, names: Mapping[str, str], width: int
) -> table.Panel:
    """Return a table of all labels of some series."""
    panel = _table(title, description, width).with_target(_rows(expr, "A"))
    hidden = ["Time", "Value", "__name__"]
    order = {name: place for place, name in enumerate(names)}
    return panel.transformations([_organize(hidden=hidden, names=names, order=order)])


def alerts(description: str, selector: str, width: int) -> table.Panel:
    """Return a table of the alerts that fire, of Pombo's rules and of others."""
    firing = f'ALERTS{{alertstate="firing",{selector}}}'
    since = f"ALERTS_FOR_STATE{{{selector}}} and ignoring (alertstate) {firing}"
    return values(
        "Firing alerts",
        description,
        {"alertname": "Alert", "severity": "Severity", "instance": "Instance"},
        [Column("For", f"time() - ({since})", "s")],
        width=width,
    )


def states(title: str, description: str, query: Query, width: int) -> statetimeline.Panel:
    """Return a timeline of the states of each series: live, late, down."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("none")
        .thresholds(limits(1, 2))
        .mappings(STATES)
        .height(8)
        .span(width)
        .show_value(VisibilityMode.NEVER)
        .legend(
            VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(show_legend=True)
        )
        .with_target(_over_time(query, "A"))
    )


def _table(title: str, description: str, width: int) -> table.Panel:
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("short")
        .thresholds(limits())
        .no_value("none")
        .filterable(filterable=True)
        .height(8)
        .span(width)
    )


def _organize(
    *, hidden: Sequence[str], names: Mapping[str, str], order: Mapping[str, int]
) -> DataTransformerConfig:
    options = {
        "excludeByName": dict.fromkeys(hidden, True),
        "renameByName": dict(names),
        "indexByName": dict(order),
    }
    return DataTransformerConfig(id_val="organize", options=options)


def _overrides(column: Column) -> list[DynamicConfigValue]:
    overrides = [DynamicConfigValue(id_val="unit", value=column.unit)]
    if column.mappings:
        overrides.append(DynamicConfigValue(id_val="mappings", value=list(column.mappings)))
    if column.thresholds:
        overrides.append(DynamicConfigValue(id_val="thresholds", value=column.thresholds.build()))
    if column.mappings or column.thresholds:
        text = {"type": "color-text"}
        overrides.append(DynamicConfigValue(id_val="custom.cellOptions", value=text))
    return overrides


def _sorted_by(column: Column) -> TableSortByFieldState:
    return TableSortByFieldState().display_name(column.title).desc(desc=not column.smallest_first)


def _link_to_host() -> DynamicConfigValue:
    link = {"title": "Open the host", "url": HOST_LINK % "${__value.raw}"}
    return DynamicConfigValue(id_val="links", value=[link])


def _legend() -> VizLegendOptions:
    return (
        VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs(["lastNotNull", "max"])
    )


def _refs(place: int) -> str:
    return ascii_uppercase[place]


def _query(expr: str, ref: str) -> Dataquery:
    return Dataquery().datasource(SOURCE).expr(expr).ref_id(ref).editor_mode(QueryEditorMode.CODE)


def _over_time(query: Query, ref: str) -> Dataquery:
    target = _query(query.expr, ref).range().legend_format(query.legend)
    return target.interval(query.step) if query.step else target


def _now(query: Query, ref: str) -> Dataquery:
    target = _query(query.expr, ref).instant().legend_format(query.legend)
    return target.interval(query.step) if query.step else target


def _rows(expr: str, ref: str) -> Dataquery:
    target = _query(expr, ref).instant().format(PromQueryFormat.TABLE)
    return target.interval(COUNTER_STEP)
