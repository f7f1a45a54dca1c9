"""What the command line of the benchmark sets for every case."""

from dataclasses import dataclass

from bench.harness.fleet import Kind


@dataclass(frozen=True)
class Settings:
    """How long a case may take, the fleet whose reports it sends, and the only row to measure."""

    full: bool = False
    fleet: Kind = "alike"
    row: str = ""

    def first_edition(self, figure: str) -> str:
        """Return what the first edition took for reports of the same host, as a reference.

        It was measured with the captured host only.
        """
        return f"; first edition: {figure}" if self.fleet == "alike" else ""
