"""Changes of hosts for subscribers; nothing here knows HTTP."""
