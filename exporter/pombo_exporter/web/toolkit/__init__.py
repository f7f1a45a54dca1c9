"""``--web.config.file``: TLS, passwords, headers and a rate limit, as in Prometheus' exporters.

The file is that of exporter-toolkit. Source:
https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
"""
