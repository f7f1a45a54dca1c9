"""What the command line of the benchmark sets for every case."""

from dataclasses import dataclass

from bench.harness.fleet import Kind


@dataclass(frozen=True)
class Settings:
    """How long a case may take, and the fleet whose reports it sends."""

    full: bool = False
    fleet: Kind = "few"
