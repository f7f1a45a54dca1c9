"""The exporter: the hosts that report, held in memory and served to Prometheus."""

import os

__version__ = "0.1.0"

# numpy brings linear algebra that starts a thread for each core. Nothing here uses it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
