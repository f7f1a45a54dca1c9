"""The table of hosts in a terminal."""
