"""The bundled dashboards, queried as Grafana does."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from support.processes import ROOT, Prometheus

JSON = dict[str, Any]

RANGE = 300  # seconds that a dashboard shows
SOURCE_STEP = 5  # seconds, as in the provisioned data source
MAX_POINTS = 1000  # of a panel without a setting


class Viewer:
    """Sends the queries of a dashboard to Prometheus as Grafana does, for one moment."""

    def __init__(
        self, prometheus: Prometheus, moment: float, name: str, chosen: Mapping[str, str]
    ) -> None:
        self._prometheus, self._moment = prometheus, moment
        path = ROOT / "grafana" / "dashboards" / f"{name}.json"
        self.dashboard: JSON = json.loads(path.read_text())
        self.variables: dict[str, str] = {}
        for variable in self.dashboard["templating"]["list"]:
            key = variable["name"]
            self.variables[key] = chosen.get(key) or self._of(variable)

    def panels(self) -> Iterator[JSON]:
        """Yield the panels that show something."""
        for panel in self.dashboard["panels"]:
            if panel["type"] != "row":
                yield panel

    def values(self, variable: JSON) -> list[str]:
        """Return the values that a variable has to choose from."""
        if variable["type"] == "custom":
            return [str(text) for text in variable["query"].split(",")]
        query = self._fill(variable["query"]["query"], 0, 0)
        found = re.fullmatch(r"label_(?:values\((.+), (\w+)|names\((.+))\)", query)
        assert found, variable
        selector: dict[str, object] = {"match[]": found[1] or found[3]}
        window = {"start": self._moment - RANGE, "end": self._moment}
        path = f"label/{found[2]}/values" if found[2] else "labels"
        values: list[str] = self._prometheus.ask(path, **selector, **window)
        wanted = variable.get("regex") or ".*"
        return [value for value in values if re.fullmatch(wanted, value)]

    def rows(self, panel: JSON, target: JSON, **chosen: str) -> list[tuple[JSON, list[float]]]:
        """Return the labels and values of each series that a query of a panel returns."""
        least = int(target.get("interval", f"{SOURCE_STEP}s").removesuffix("s"))
        step = max(least, math.ceil(RANGE / panel.get("maxDataPoints", MAX_POINTS)))
        rate = max(step + least, 4 * least)
        expr = self._fill(target["expr"], step, rate, **chosen)
        if target.get("instant"):
            found = self._prometheus.ask("query", query=expr, time=self._moment)
            assert found["resultType"] == "vector", expr
            return [(row["metric"], [float(row["value"][1])]) for row in found["result"]]
        start = (self._moment - RANGE) // step * step
        window = {"start": start, "end": self._moment, "step": step}
        found = self._prometheus.ask("query_range", query=expr, **window)
        return [
            (row["metric"], [float(value) for _, value in row["values"]]) for row in found["result"]
        ]

    def events(self) -> dict[str, list[tuple[JSON, list[float]]]]:
        """Return the labels and values of the series of each annotation."""
        return {
            event["name"]: self.rows({}, event) for event in self.dashboard["annotations"]["list"]
        }

    def named(self, title: str, **chosen: str) -> list[list[tuple[JSON, list[float]]]]:
        """Return what each query of the panel of that title returns."""
        [panel] = [panel for panel in self.panels() if panel["title"] == title]
        return [self.rows(panel, target, **chosen) for target in panel["targets"]]

    def _of(self, variable: JSON) -> str:
        if variable["type"] == "datasource":
            return "pombo-prometheus"
        values = self.values(variable)
        if variable["name"] == "metric" and not values:  # few hosts have metrics of their own
            return ""
        assert values, f"there is nothing to choose for {variable['name']}"
        if not variable.get("includeAll"):
            current: str = variable.get("current", {}).get("value") or values[0]
            return current
        return variable.get("allValue") or f"({'|'.join(map(re.escape, values))})".replace(
            "\\", "\\\\"
        )

    def _fill(self, expr: str, step: int, rate: int, **chosen: str) -> str:
        built_in = {
            "__from": str(int((self._moment - RANGE) * 1000)),
            "__range": f"{RANGE}s",
            "__interval": f"{step}s",
            "__rate_interval": f"{rate}s",
        }
        known = {**self.variables, **built_in, **chosen}
        return re.sub(r"\$(\w+)", lambda found: known[found[1]], expr)
