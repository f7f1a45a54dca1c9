"""The roster: hosts, their states and their last reports."""
