"""Puts panels into rows and rows into a dashboard."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableModel,
)

from grafana.generate.events import EVENTS, Event

_KEPT = "${datasource:queryparam}&${job:queryparam}"

Rows = dict[str, Sequence[Builder[Panel]]]


@dataclass(frozen=True)
class About:
    """A dashboard's identity; ``others`` are the titles and uids of those that it links to."""

    uid: str
    title: str
    description: str
    others: Mapping[str, str]


def assemble(
    about: About,
    variables: Iterable[Builder[VariableModel]],
    rows: Rows,
    events: Iterable[Event] = EVENTS,
) -> Dashboard:
    """Return a dashboard."""
    builder = (
        builders.Dashboard(about.title)
        .uid(about.uid)
        .description(about.description)
        .tags(["pombo"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
    )
    for title, uid in about.others.items():
        builder.link(_link(title, uid))
    for event in events:
        builder.annotation(event)
    for variable in variables:
        builder.with_variable(variable)
    for name, panels in rows.items():
        builder.with_row(builders.Row(name))
        for panel in panels:
            builder.with_panel(panel)
    built = builder.build()
    for number, placed in enumerate(built.panels or (), start=1):
        placed.id_val = number
    for variable_model in built.templating.list_val or ():
        _leave_out_interval_settings(variable_model)
    return built


def _leave_out_interval_settings(variable: VariableModel) -> None:
    """Clear defaults that Grafana's schema has for other types of variables only."""
    variable.auto = variable.auto_min = variable.auto_count = None


def _link(title: str, uid: str) -> builders.DashboardLink:
    return (
        builders.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(f"Open {title}, with the same data source and time range")
        .url(f"/d/{uid}?{_KEPT}")
        .keep_time(keep_time=True)
    )
