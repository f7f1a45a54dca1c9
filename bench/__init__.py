"""What Pombo costs: each figure as a ratio to a reference measured in the same run."""

import sys
from pathlib import Path

# The processes and pages of the tests are the benchmark's, too: `support` is in tests/.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
