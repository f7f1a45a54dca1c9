"""Makes what users install: wheels, one-file agents, packages and images."""
