"""The feed: changes of hosts for subscribers. Nothing here knows HTTP."""
