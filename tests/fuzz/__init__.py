"""Coverage-guided fuzzers: one target in each module of ``targets``; docs/fuzzing.md says more."""
