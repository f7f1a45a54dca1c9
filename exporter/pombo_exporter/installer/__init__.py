"""What the exporter gives to a new host: one-file agents, and the script that installs them."""
