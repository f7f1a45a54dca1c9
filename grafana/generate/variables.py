"""The dashboards' variables, and the selectors that follow them."""

from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

#: The Prometheus that the viewer selected.
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

_ALL = VariableOption(selected=True, text=["All"], value=["$__all"])


def of_host(family: str, matchers: str = "") -> str:
    """Return the family's series of the chosen hosts."""
    return _select(family, 'job=~"$job",instance=~"$instance"', matchers)


def of_exporter(family: str, matchers: str = "") -> str:
    """Return the family's series of the chosen exporters, whose instance is their address."""
    return _select(family, 'instance=~"$exporter"', matchers)


def _select(family: str, chosen: str, matchers: str) -> str:
    return f"{family}{{{','.join(filter(None, (chosen, matchers)))}}}"


def datasource() -> DatasourceVariable:
    """Return the choice of Prometheus."""
    return (
        DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the exporter.")
        .type("prometheus")
    )


def job() -> QueryVariable:
    """Return the choice of Prometheus jobs."""
    variable = _values("job", "label_values(pombo_host_up, job)").label("Job")
    return _several(variable.description("The jobs under which Prometheus scrapes hosts."))


def instances() -> QueryVariable:
    """Return the choice of any number of hosts."""
    variable = _instance().description("The hosts to show.")
    # Without it, "All" would list the name of each of a thousand hosts in every query.
    return _several(variable.all_value(".*"))


def instance() -> QueryVariable:
    """Return the choice of one host."""
    return _instance().description("The host to show.")


def exporters() -> QueryVariable:
    """Return the choice of exporters."""
    variable = _values("exporter", "label_values(pombo_exporter_build_info, instance)")
    return _several(variable.label("Exporter").description("The exporters to show."))


def top() -> CustomVariable:
    """Return the choice of how many hosts the rankings show."""
    options = [
        VariableOption(selected=text == "10", text=text, value=text)
        for text in ("5", "10", "20", "50")
    ]
    return (
        CustomVariable("top")
        .label("Top")
        .description("Number of hosts or devices in each ranking.")
        .values(",".join(str(option.value) for option in options))
        .options(options)
        .current(options[1])
        .allow_custom_value(allow_custom_value=False)
    )


def _instance() -> QueryVariable:
    query = 'label_values(pombo_host_up{job=~"$job"}, instance)'
    return _values("instance", query).label("Host")


def _values(name: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .datasource(SOURCE)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
    )


def _several(variable: QueryVariable) -> QueryVariable:
    return variable.multi(multi=True).include_all(include_all=True).current(_ALL)
