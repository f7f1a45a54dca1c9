"""Bytes from the network to an accepted report or a counted refusal."""
