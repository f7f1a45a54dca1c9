"""What is fuzzed: each module has one ``TARGET``, under the module's name."""
