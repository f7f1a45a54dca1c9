"""Makes the dashboards' JSON from typed Python: ``python -m grafana.generate``."""
