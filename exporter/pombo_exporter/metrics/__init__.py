"""Families and samples: what is stored, as Prometheus reads it."""
