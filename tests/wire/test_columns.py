"""The columns of sections are those of the schema, and agents need no types to send them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def output(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_generated_columns_are_up_to_date() -> None:
    generated = (ROOT / "wire/pombo_wire/columns.py").read_text(encoding="utf-8")
    assert output(str(ROOT / "docs/generate/columns.py")) == generated


def test_sending_imports_no_types() -> None:
    program = "import sys, pombo_wire.splitting; print('msgspec' in sys.modules)"
    assert output("-c", program) == "False\n"
    program = "import sys, pombo_wire; pombo_wire.Report; print('msgspec' in sys.modules)"
    assert output("-c", program) == "True\n"
