"""Sends the datagrams of reports to exporters, sealed where there is a key."""
