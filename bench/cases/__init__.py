"""What the benchmark measures: one case, one file."""
