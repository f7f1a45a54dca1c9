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

#: The labels of ``pombo_host_info`` that no owner gave, but for the host's name.
_NOT_OF_OWNERS = ("__name__", "job")

#: Families that the agent or the exporter makes, and series that Prometheus makes.
_FAMILIES_OF_POMBO = "(node|host|container|pombo|process|python|scrape|instance:).*|up|ALERTS.*"

_ALL = VariableOption(selected=True, text=["All"], value=["$__all"])


def _select(family: str, chosen: str, matchers: str) -> str:
    return f"{family}{{{','.join(filter(None, (chosen, matchers)))}}}"


def of_host(family: str, matchers: str = "") -> str:
    """Return the family's series of the chosen hosts."""
    return _select(family, 'job=~"$job",instance=~"$instance"', matchers)


def of_exporter(family: str, matchers: str = "") -> str:
    """Return the family's series of the chosen exporters, whose instance is their address."""
    return _select(family, 'instance=~"$exporter"', matchers)


def datasource() -> DatasourceVariable:
    """Return the choice of Prometheus."""
    return (
        DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the exporter.")
        .type("prometheus")
    )


_LABELLED = of_host("pombo_host_info", '$label=~"$value"')


def chosen(expr: str) -> str:
    """Return those samples of an expression whose hosts have the label that the viewer chose."""
    return f"({expr}) and on (instance, job) {_LABELLED}"


def chosen_at_end(expr: str) -> str:
    """Return the same, by the label at the end of the time range.

    A ranking at the end must not choose again at a step at which some of the hosts were unknown.
    """
    return f"({expr}) and on (instance, job) {_LABELLED} @ end()"


def label() -> QueryVariable:
    """Return the choice of a label that owners gave their hosts."""
    return (
        _query("label", 'label_names(pombo_host_info{job=~"$job"})')
        .label("Label")
        .description("The label by which hosts are chosen, such as one that you gave them.")
        .regex(f"^(?!(?:{'|'.join(_NOT_OF_OWNERS)})$).*")
        .current(VariableOption(selected=True, text="instance", value="instance"))
    )


def value() -> QueryVariable:
    """Return the choice of values of that label."""
    variable = _query("value", 'label_values(pombo_host_info{job=~"$job"}, $label)')
    variable = variable.label("Value").description("Only hosts with this value of the label.")
    return _several(variable.all_value(".*"))


def metric() -> QueryVariable:
    """Return the choice of what a host measures beyond the agent's own collectors."""
    selector = f'{{job=~"$job",instance=~"$instance",__name__!~"{_FAMILIES_OF_POMBO}"}}'
    variable = _query("metric", f"label_values({selector}, __name__)").label("Own metric")
    return _several(variable.description("Metrics of scripts and of the textfile collector."))


def job() -> QueryVariable:
    """Return the choice of Prometheus jobs."""
    variable = _query("job", "label_values(pombo_host_up, job)").label("Job")
    return _several(variable.description("The jobs under which Prometheus scrapes hosts."))


def instances() -> QueryVariable:
    """Return the choice of any number of hosts."""
    variable = _instance().description("The hosts to show.")
    # Without it, "All" would list the name of each of a thousand hosts in every query.
    return _several(variable.all_value(".*"))


def instance() -> QueryVariable:
    """Return the choice of one host, of those with the chosen label."""
    return _instance('$label=~"$value"').description("The host to show.")


def exporters() -> QueryVariable:
    """Return the choice of exporters."""
    variable = _query("exporter", "label_values(pombo_exporter_build_info, instance)")
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


def _instance(matchers: str = "") -> QueryVariable:
    selector = _select("pombo_host_info", 'job=~"$job"', matchers)
    return _query("instance", f"label_values({selector}, instance)").label("Host")


def _query(name: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .datasource(SOURCE)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
    )


def _several(variable: QueryVariable) -> QueryVariable:
    return variable.multi(multi=True).include_all(include_all=True).current(_ALL)
