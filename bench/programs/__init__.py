"""The programs that cases start with the exporter or instead of it."""
