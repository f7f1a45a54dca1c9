"""The state file, which outlives the exporter."""
