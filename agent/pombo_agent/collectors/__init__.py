"""The collectors. Each module has one subject, and its ``COLLECTORS``; ``discovery`` finds them."""
