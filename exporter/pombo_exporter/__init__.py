"""The exporter.

A report comes in through ``ingest`` and is kept in ``hosts``. A scrape is answered from ``hosts``
through ``metrics`` and ``web``. People and programs get ``views`` of hosts through ``live`` and
``web``; ``top`` and ``page`` show them.
"""

import os
from importlib.metadata import version

__version__ = version("pombo-exporter")

# numpy brings linear algebra that starts a thread for each core. Nothing here uses it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
