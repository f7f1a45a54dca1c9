"""What the exporter runs on: sockets, clocks, long work in steps, its end."""
