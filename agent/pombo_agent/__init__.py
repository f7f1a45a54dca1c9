"""The agent: sends metrics of its host to exporters over UDP."""

__version__ = "0.1.0"
