"""Command line of both programs: flags as in Prometheus, logs, values for people."""

__version__ = "0.1.0"
