"""Runs the benchmark and writes its table: ``python -m bench [--full]``."""

import argparse
import sys
from pathlib import Path

from bench import ingest, results, scrape, together

_PARTS = {"ingest": ingest.measure, "scrape": scrape.measure, "together": together.measure}


def main() -> None:
    """Run the parts that the command line asks for, and print their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="default: all")
    parser.add_argument("--full", action="store_true", help="an hour's patience, not minutes'")
    parser.add_argument("--output", type=Path, help="write the table there")
    asked = parser.parse_args()
    rows = []
    for name in asked.parts or _PARTS:
        for row in _PARTS[name](full=asked.full):
            rows.append(row)
            sys.stdout.write(f"{row.part}: {row.what}: {row.figure}; {row.beside}\n")
            sys.stdout.flush()
    if asked.output:
        command = "make bench-full" if asked.full else "make bench"
        asked.output.write_text(results.table(rows, command), encoding="utf-8")


if __name__ == "__main__":
    main()
