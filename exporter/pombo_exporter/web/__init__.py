"""HTTP: scrapes, service discovery, the API, the live page."""
