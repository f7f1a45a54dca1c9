"""What Pombo does under faults: each is done to real processes, and what must hold is checked."""

import sys
from pathlib import Path

# The processes and pages of the tests are the fault suite's, too: `support` is in tests/.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
