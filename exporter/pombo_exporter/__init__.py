"""The exporter: keeps the hosts that report in memory and serves them to Prometheus."""

import os

__version__ = "0.1.0"

# numpy brings linear algebra that starts a thread for each core. Nothing here uses it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
