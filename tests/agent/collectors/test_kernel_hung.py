"""The collector ``kernel_hung``, which node_exporter 1.5 does not have."""

from pathlib import Path

import pytest
from pombo_agent.collecting.sources import Sources
from pombo_agent.collectors import kernel_hung
from pombo_wire.section import Section
from support.fixtures import copy_fixture


def test_family_is_that_of_node_exporter(this_machine: Sources, tmp_path: Path) -> None:
    copy_fixture("kernel_hung", tmp_path / "host")
    text = "Total number of tasks that have been detected as hung since the system booted."
    name = "node_kernel_hung_tasks_total"
    assert kernel_hung.collect(this_machine._replace(procfs=tmp_path / "host/proc")) == [
        Section(name, {}, (), (17,), type="counter", help=text)
    ]


def test_older_kernel_has_no_data(this_machine: Sources, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kernel_hung.collect(this_machine._replace(procfs=tmp_path))
