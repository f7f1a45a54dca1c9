"""What is marked on graphs: hosts that are down, that booted, and agents that started."""

from typing import Any, Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from grafana.generate.variables import SOURCE, of_host


class _PrometheusEvent(AnnotationQuery):
    """An annotation with the fields of the Prometheus data source, which the schema leaves open."""

    at_value: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the fields of the schema and those of the data source."""
        own: dict[str, Any] = {
            "titleFormat": self.name,
            "textFormat": "{{instance}}",
            "step": "15s",
            "useValueForTime": self.at_value,
        }
        return {**super().to_json(), **own}


class Event(Builder[AnnotationQuery]):
    """Builds an annotation from an expression, which has a sample of 1 while the event lasts.

    With ``at_value`` the sample is the time of the event instead, in milliseconds.
    """

    def __init__(self, name: str, color: str, expr: str, *, at_value: bool = False) -> None:
        self._built = _PrometheusEvent(
            name=name, datasource=SOURCE, icon_color=color, expr=expr, hide=False
        )
        self._built.at_value = at_value

    def build(self) -> AnnotationQuery:
        """Return the annotation."""
        return self._built


_UP = of_host("pombo_host_up")
_BOOT = of_host("node_boot_time_seconds")
_AGENT_START = f"{of_host('process_start_time_seconds')} and on (instance, job) {_UP}"

#: The events on the graphs of hosts. Times are in Unix seconds; those before the time range, which
#: most are, are left out by Prometheus.
EVENTS: Final = (
    Event("Down", "red", f"max by (instance) (1 - {_UP}) == 1"),
    Event(
        "Booted", "purple", f"{of_host('node_boot_time_seconds')} * 1000 > $__from", at_value=True
    ),
    Event("Agent started", "blue", f"({_AGENT_START}) * 1000 > $__from", at_value=True),
)
