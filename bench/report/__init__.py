"""Results as a table and as curves."""
