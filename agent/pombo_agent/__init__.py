"""The agent: what a monitored host says of itself, sent over UDP."""

__version__ = "0.1.0"
