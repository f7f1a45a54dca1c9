"""HTTP: scrapes, service discovery, the API, the status page."""
