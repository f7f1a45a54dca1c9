"""Coverage-guided fuzzers, one in each module of ``fuzzers``; docs/fuzzing.md says more."""
