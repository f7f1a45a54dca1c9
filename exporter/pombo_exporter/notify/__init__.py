"""Notifications: what happens to hosts is posted to webhooks, and heartbeats say that we live."""
