"""What tests, and the benchmark, share: real processes, pages, browsers; reports and rosters."""
