"""The fleets of the benchmark: captured reports of real agents, and the hosts made from them."""
