"""The files that collectors read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pombo_agent.collecting.sources import Sources
from pombo_agent.options import COLLECTORS
from pombo_wire.section import Section

ColumnOf = Callable[[list[Section], str, str], dict[str, Any]]


def test_network_of_this_process_is_read_where_that_of_the_first_is_forbidden(
    this_machine: Sources, tmp_path: Path, column_of: ColumnOf
) -> None:
    (tmp_path / "net").mkdir()
    own = Path("/proc/self/net/dev").read_text(encoding="ascii")
    (tmp_path / "net/dev").write_text(own, encoding="ascii")
    parts = COLLECTORS["netdev"].collect(this_machine._replace(procfs=tmp_path))
    assert "lo" in column_of(parts, "networks", "receive_bytes")
