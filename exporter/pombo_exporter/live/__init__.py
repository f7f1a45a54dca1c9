"""Changes, for whoever subscribes to them; nothing here knows HTTP."""
