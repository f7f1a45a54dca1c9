"""What is fuzzed: each module has one ``FUZZER``, under the module's name."""
