"""The exporter: the hosts that report, held in memory and served to Prometheus."""

__version__ = "0.1.0"
