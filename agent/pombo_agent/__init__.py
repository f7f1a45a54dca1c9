"""The agent: sends metrics of its host to exporters over UDP."""

__version__ = "0.1.0"

#: The commit of which the agent was built; a build may write it here.
__revision__ = ""
