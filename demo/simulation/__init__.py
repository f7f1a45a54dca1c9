"""The simulated hosts and the network between hosts and exporters; a process of its own."""
