"""What both commands share on their outside: flags in the Prometheus habit, and logs."""

__version__ = "0.1.0"
