"""The costs of collectors are measured on this machine, or on the files of their tests."""

import pytest
from pombo_agent.options import COLLECTORS

from bench.cases import collector_costs
from bench.cases.collector_costs import FILES, MACHINE, Cost, Reports, collect, this_machine


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    monkeypatch.setattr(collector_costs, "_RUNS", 3)
    names = ("loadavg", "stat", "top-processes")
    return Reports({n: collect(COLLECTORS[n], this_machine(COLLECTORS[n])) or [] for n in names})


def cost(name: str, reports: Reports) -> Cost:
    return collector_costs.cost(COLLECTORS[name], reports)


def test_collector_with_data_is_measured_on_this_machine(reports: Reports) -> None:
    found = cost("loadavg", reports)
    assert (found.where, found.values, found.look) == (MACHINE, 3, None)
    assert found.milliseconds
    assert 3 < found.bytes < 60


def test_collector_without_data_is_measured_on_files_and_on_its_look(reports: Reports) -> None:
    found = cost("drbd", reports)
    assert (found.where, found.looks_always) == (FILES, False)
    assert found.milliseconds
    assert found.look is not None
    assert found.look < found.milliseconds
    assert found.values > 10
    assert found.bytes > 100


def test_looking_in_vain_may_be_a_success(reports: Reports) -> None:
    assert cost("textfile", reports).looks_always


def test_processes_take_room_that_datagrams_have(reports: Reports) -> None:
    assert 0 < cost("top-processes", reports).bytes < 1200
