"""The exporter spends no more on a report and on a sample than its budget allows."""

import pytest

from bench.budget import CEILINGS, PER_REPORT, PER_SAMPLE, spent, stored
from bench.harness.callgrind import instructions

pytestmark = pytest.mark.costs


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return spent() | stored()


@pytest.mark.parametrize("name", CEILINGS)
def test_exporter_stays_within_its_budget(name: str, figures: dict[str, float]) -> None:
    assert figures[name] <= CEILINGS[name]


_EXTRA = """
import numpy as np, orjson
from bench.harness.in_process import InProcessExporter
from bench.programs.workload import run

class Extra(InProcessExporter):
    def take(self, datagrams, report=0):
        super().take(datagrams := list(datagrams), report)
        for datagram in datagrams:
            {call}

run(Extra())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "np.sort(np.frombuffer(datagram * 8, np.uint8))",
        "orjson.loads(b'[' + b','.join([b'1.5'] * 4_000) + b']')",
    ],
    ids=["numpy", "orjson"],
)
def test_one_more_call_of_c_per_datagram_exceeds_the_budget(call: str) -> None:
    figures = spent(("-c", _EXTRA.format(call=call)))
    assert figures[PER_REPORT] > CEILINGS[PER_REPORT]
    assert figures[PER_SAMPLE] <= CEILINGS[PER_SAMPLE]


_PARTS = """
from bench.harness.callgrind import mark
def loop(times):
    for _ in range(times):
        pass
mark()
loop(1_000)
mark()
loop(11_000)
mark()
sum(range(1_000))
mark()
sum(range(11_000))
mark()
print("done")
"""


def test_count_includes_bytecode_and_the_inside_of_c() -> None:
    (short_loop, long_loop, short_sum, long_sum), output = instructions("-c", _PARTS)
    assert output == "done\n"
    assert long_loop - short_loop > 10_000 * 10  # each round is several bytecodes
    assert long_sum - short_sum > 10_000 * 5  # one call in either case


def test_program_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        instructions("-c", "1 / 0")
