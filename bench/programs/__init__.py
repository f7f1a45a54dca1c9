"""The programs that cases start beside the exporter."""
