"""What the cases share: exporters, a fleet whose totals are known, and what checks both."""
