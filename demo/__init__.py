"""The demonstration: 10,000 simulated hosts, a bad network, two exporters, Prometheus and a page.

Usage: ``make demo``
"""
