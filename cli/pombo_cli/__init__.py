"""Command line of both programs: flags as in Prometheus, logs, values for people."""
